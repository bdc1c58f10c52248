import type { Ctl } from "../context.ts";
import { countDevices } from "../devices.ts";
import { parseFilter } from "../filter.ts";
import { counted } from "../output/texts.ts";

/** Saves a filter. */
export async function filtersCreate(
  { name, expression }: { readonly name: string; readonly expression: string },
  ctl: Ctl,
): Promise<undefined> {
  const terms = parseFilter(expression);
  const api = await ctl.api();
  const body = { name, terms: terms.map((term) => ({ ...term })) };
  const { made } = await api.call("post", "/api/management/v2/inventory/filters", { body });
  const count = await countDevices(api, terms);
  if (ctl.json) ctl.printJson({ id: made, name, terms });
  else ctl.say(`Filter ${name} is saved${count === undefined ? "" : `; ${counted(count, "device")} meet it now`}.`);
}
