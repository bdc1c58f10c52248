import type { Ctl } from "../context.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { requireFilter } from "../groups.ts";

/** Deletes a saved filter. */
export async function filtersDelete(
  { filter, yes }: { readonly filter: string; readonly yes?: boolean },
  ctl: Ctl,
): Promise<ExitCode> {
  const api = await ctl.api();
  const { id, name } = await requireFilter(api, filter);
  if (!(await ctl.confirmed(`Delete the filter ${name}?`, yes))) return EXIT.error;
  await api.call("delete", "/api/management/v2/inventory/filters/{id}", { params: { id } });
  ctl.say(`Filter ${name} is deleted.`);
  return EXIT.ok;
}
