import { type Power, SystemError } from "@upkeep/shared/system";
import { startProcess } from "./processes.ts";

/** Reboots with the first `reboot` in PATH. */
export const linuxPower: Power = {
  reboot: async () => {
    const said: Uint8Array[] = [];
    const reboot = await startProcess({
      command: "reboot",
      args: [],
      onStdout: (data) => said.push(data),
      onStderr: (data) => said.push(data),
    });
    const exit = await reboot.exit;
    if ("code" in exit && exit.code === 0) return;
    const how = "code" in exit ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
    throw new SystemError("EIO", `reboot ${how}: ${Buffer.concat(said).toString("utf8").trim()}`);
  },
};
