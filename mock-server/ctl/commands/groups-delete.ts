import type { Ctl } from "../context.ts";
import { countDevices } from "../devices.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { counted } from "../output/texts.ts";

/** Ends a group. */
export async function groupsDelete(
  { group, yes }: { readonly group: string; readonly yes?: boolean },
  ctl: Ctl,
): Promise<ExitCode> {
  const api = await ctl.api();
  const count = await countDevices(api, [{ scope: "system", attribute: "group", type: "$eq", value: group }]);
  if (!(await ctl.confirmed(`Take ${counted(count ?? 0, "device")} out of group ${group}, which ends it?`, yes)))
    return EXIT.error;
  await api.call("delete", "/api/management/v1/inventory/groups/{name}", { params: { name: group } });
  ctl.say(`Group ${group} has ended.`);
  return EXIT.ok;
}
