import type { Ctl } from "../context.ts";
import { countDevices } from "../devices.ts";

/** Lists static groups. */
export async function groupsList(_: object, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const { data: names } = await api.call("get", "/api/management/v1/inventory/groups");
  const rows: { readonly name: string; readonly devices: number | undefined }[] = [];
  for (const name of names) {
    const term = { scope: "system", attribute: "group", type: "$eq", value: name };
    rows.push({ name, devices: await countDevices(api, [term]) });
  }
  ctl.printTable(
    rows,
    [
      { title: "GROUP", text: ({ name }) => name, least: 12 },
      { title: "DEVICES", text: ({ devices }) => String(devices ?? ""), right: true },
    ],
    "There are no groups; 'upkeepctl groups add GROUP DEVICE' makes one.",
  );
}
