import type { Ctl } from "../context.ts";
import { type Device, deviceColumns } from "../devices.ts";
import { requireFilter } from "../groups.ts";

/** Lists the devices that a saved filter means now. */
export async function filtersDevices({ filter }: { readonly filter: string }, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const { id, name } = await requireFilter(api, filter);
  const devices: Device[] = [];
  const path = "/api/management/v2/inventory/filters/{id}/search";
  for await (const page of api.pages(path, { params: { id } })) devices.push(...page);
  ctl.printTable(devices, deviceColumns(devices, ctl.system.clock.now()), `No device meets the filter ${name} now.`);
}
