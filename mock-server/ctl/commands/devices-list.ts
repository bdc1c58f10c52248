import type { Ctl } from "../context.ts";
import { allDevices, deviceColumns } from "../devices.ts";
import { parseFilter, type Term } from "../filter.ts";

interface DevicesListOptions {
  readonly status?: string;
  readonly group?: string;
  readonly filter?: string;
  readonly text?: string;
}

/** Lists devices. */
export async function devicesList({ status, group, filter, text }: DevicesListOptions, ctl: Ctl): Promise<undefined> {
  const terms: readonly Term[] = [
    ...(status === undefined ? [] : [{ scope: "identity", attribute: "status", type: "$eq", value: status }]),
    ...(group === undefined ? [] : [{ scope: "system", attribute: "group", type: "$eq", value: group }]),
    ...(filter === undefined ? [] : parseFilter(filter)),
  ];
  const devices = await allDevices(await ctl.api(), { terms, ...(text === undefined ? {} : { text }) });
  const empty =
    terms.length > 0 || text !== undefined ? "No device meets these conditions." : "No device has asked yet.";
  ctl.printTable(devices, deviceColumns(devices, ctl.system.clock.now()), empty);
}
