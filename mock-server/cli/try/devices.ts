import { createDirectoryDurably, type Files, replaceFile } from "@upkeep/shared/system";
import type { Tether } from "../../system/tether.ts";
import { APP_MODULE, APP_MODULE_TEXT } from "./app.ts";
import { DEVICE_TYPE } from "./releases.ts";

const LOG_LINES_KEPT = 40;

export interface DevicePlan {
  readonly name: string;
  /** For the inventory. */
  readonly site: string;
  readonly camera: boolean;
  /** Speed of its link; unlimited if absent. */
  readonly kilobytesPerSecond?: number;
}

/** The three that are updated: the first succeeds, the second is slow, the third fails. */
export const UPDATED: readonly DevicePlan[] = [
  { name: "hall", site: "house", camera: true },
  { name: "yard", site: "outside", camera: true, kilobytesPerSecond: 50 },
  { name: "roof", site: "outside", camera: false },
];
/** It waits until a person accepts it. */
export const WAITING: DevicePlan = { name: "garage", site: "house", camera: true };

/** A device whose agent was started. */
export interface TriedDevice {
  readonly plan: DevicePlan;
  /** The last lines of the agent's log. */
  log(): string;
  /** How the agent ended; `undefined` while it runs. */
  end(): string | undefined;
}

/** The root directory of a device. */
export function rootOf({ directory }: Pick<Tether, "directory">, { name }: Pick<DevicePlan, "name">): string {
  return `${directory}/${name}`;
}

async function writeFiles(files: Files, root: string, serverUrl: string, plan: DevicePlan): Promise<void> {
  const put = async (path: string, content: string, mode = 0o644): Promise<void> => {
    const full = `${root}${path}`;
    await createDirectoryDurably(files, full.slice(0, full.lastIndexOf("/")));
    await replaceFile(files, full, content, mode);
  };
  const configuration = {
    ServerURL: serverUrl,
    UpdatePollIntervalSeconds: 2,
    InventoryPollIntervalSeconds: 5,
    RetryPollIntervalSeconds: 2,
    DownloadKilobytesPerSecond: plan.kilobytesPerSecond ?? 0,
  };
  const inventory = `#!/bin/sh
echo site=${plan.site}
if [ -e '${root}/dev/camera' ]; then echo camera=yes; else echo camera=no; fi
`;
  await put("/etc/mender/mender.conf", `${JSON.stringify(configuration, undefined, 2)}\n`);
  await put("/var/lib/mender/device_type", `device_type=${DEVICE_TYPE}\n`);
  await put("/usr/share/mender/identity/mender-device-identity", `#!/bin/sh\necho serial=${plan.name}\n`, 0o755);
  await put("/usr/share/mender/inventory/mender-inventory-site", inventory, 0o755);
  await put(`/usr/share/mender/modules/v3/${APP_MODULE}`, APP_MODULE_TEXT, 0o755);
  await createDirectoryDurably(files, `${root}/dev`);
  if (plan.camera) await put("/dev/camera", "");
}

/**
 * Writes the files of a device below the tether's directory and starts its agent.
 * @param agent Command line of the agent.
 * @throws SystemError
 */
export async function startDevice(
  files: Files,
  tether: Tether,
  [command, ...before]: readonly [command: string, ...args: string[]],
  serverUrl: string,
  plan: DevicePlan,
): Promise<TriedDevice> {
  const root = rootOf(tether, plan);
  await writeFiles(files, root, serverUrl, plan);
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > LOG_LINES_KEPT) lines.shift();
  };
  const child = await tether.start({
    command,
    args: [...before, "--root", root, "--log-format", "plain", "daemon"],
    onOutput: keep,
    onError: keep,
  });
  let end: string | undefined;
  void child.ended.then((how) => {
    end = how;
  });
  return { plan, log: () => lines.join("\n"), end: () => end };
}
