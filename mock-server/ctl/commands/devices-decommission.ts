import type { Ctl } from "../context.ts";
import { findDevices } from "../devices.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { counted } from "../output/texts.ts";

interface DecommissionOptions {
  readonly device: readonly string[];
  readonly yes?: boolean;
}

/** Forgets devices. */
export async function devicesDecommission({ device, yes }: DecommissionOptions, ctl: Ctl): Promise<ExitCode> {
  const api = await ctl.api();
  const ids = await findDevices(api, device);
  const question = `Forget ${counted(ids.length, "device")} (${ids.join(", ")}) with keys, inventory and tags?`;
  if (!(await ctl.confirmed(question, yes))) return EXIT.error;
  for (const id of ids) {
    await api.call("delete", "/api/management/v2/devauth/devices/{id}", { params: { id } });
    ctl.say(`${id} is forgotten.`);
  }
  return EXIT.ok;
}
