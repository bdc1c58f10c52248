import type { Ctl } from "../context.ts";
import { findDevices } from "../devices.ts";
import { CtlError } from "../failure.ts";
import { counted } from "../output/texts.ts";

interface ChangeOptions {
  readonly group: string;
  readonly device: readonly string[];
}

const MEMBERS = "/api/management/v1/inventory/groups/{name}/devices";

/** Puts devices into a group. */
export async function groupsAdd({ group, device }: ChangeOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const ids = await findDevices(api, device);
  const { data } = await api.call("patch", MEMBERS, { params: { name: group }, body: [...ids] });
  const there = data.matched_count ?? 0;
  ctl.say(`${counted(there, "device")} in group ${group}, ${data.updated_count ?? 0} of them new.`);
  if (there < ids.length) throw new CtlError(`${counted(ids.length - there, "device")} of these are not there`);
}

/** Takes devices out of a group. */
export async function groupsRemove({ group, device }: ChangeOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const ids = await findDevices(api, device);
  const { data } = await api.call("delete", MEMBERS, { params: { name: group }, body: [...ids] });
  ctl.say(`${counted(data.updated_count ?? 0, "device")} taken out of group ${group}.`);
}
