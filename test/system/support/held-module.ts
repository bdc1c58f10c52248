import { until } from "../../support/waiting.ts";
import type { SystemDevice } from "./device.ts";

/**
 * An update module that waits in the call that /root/hold names, once, until there is /root/go. Its "reboot" is none:
 * the agent is told to wait for it, as for a reboot that does not come.
 */
const MODULE = `#!/bin/sh
case $1 in
NeedsArtifactReboot) echo Yes ;;
SupportsRollback) echo Yes ;;
ProvidePayloadFileSizes) echo No ;;
esac
if [ "$(cat /root/hold 2>/dev/null)" = "$1" ]; then
  rm /root/hold
  touch /root/at
  while [ ! -e /root/go ]; do sleep 0.1; done
fi
`;

/** The calls of the module in which tests interrupt the agent, and what the agent was doing then. */
export const MOMENTS = {
  Download: "downloading",
  ArtifactInstall: "installing",
  ArtifactReboot: "waiting for the reboot",
  Cleanup: "between the commit and its report",
} as const;

export type Moment = keyof typeof MOMENTS;

export const HELD = "held";

export function installHeldModule(device: SystemDevice): void {
  device.write(`/usr/share/mender/modules/v3/${HELD}`, MODULE, 0o755);
}

/** The next deployment waits in this call. */
export function holdAt(device: SystemDevice, moment: Moment): void {
  device.output(`rm -f /root/at /root/go; echo ${moment} >/root/hold`);
}

export async function untilHeld(device: SystemDevice): Promise<void> {
  await until("the module waits", () => device.run("[ -e /root/at ]").code === 0 || undefined, {
    explain: () => device.journal(),
  });
}

export function letGo(device: SystemDevice): void {
  device.output("touch /root/go");
}
