import type { Ctl } from "../context.ts";
import { allDevices, deviceColumns } from "../devices.ts";

/** Lists the devices of a static group. */
export async function groupsDevices({ group }: { readonly group: string }, ctl: Ctl): Promise<undefined> {
  const terms = [{ scope: "system", attribute: "group", type: "$eq", value: group }];
  const devices = await allDevices(await ctl.api(), { terms });
  ctl.printTable(devices, deviceColumns(devices, ctl.system.clock.now()), `No device is in a group ${group}.`);
}
