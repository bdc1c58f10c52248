import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { given } from "@upkeep/shared/given";
import { type Program, startProgram } from "../support/program.ts";

const MODULES = "/usr/share/mender/modules/v3";

export interface MenderClientOptions {
  /** Everything of this device lies below it. */
  readonly folder: string;
  readonly serverUrl: string;
  readonly deviceType: string;
  readonly mac: string;
  /** Update modules beside those of the package: name → shell script. */
  readonly modules?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
  /** For the client, its modules and its scripts. */
  readonly environment?: Readonly<Record<string, string>>;
}

function writeExecutable(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o755);
}

/**
 * The real `mender daemon`, unmodified, as one of several devices on this machine: its fixed paths are
 * bound to directories of its own in a mount namespace of its own.
 */
export function startMenderClient(options: MenderClientOptions): Program {
  const { folder, modules = {} } = options;
  const etc = join(folder, "etc");
  const share = join(folder, "share");
  const data = join(folder, "data");
  for (const path of [etc, data, join(share, "modules/v3"), join(share, "identity"), join(share, "inventory")]) {
    mkdirSync(path, { recursive: true });
  }
  writeFileSync(join(etc, "artifact_info"), "artifact_name=factory\n");
  writeFileSync(join(data, "device_type"), `device_type=${options.deviceType}\n`);
  writeExecutable(join(share, "identity/mender-device-identity"), `#!/bin/sh\necho mac=${options.mac}\n`);
  for (const [name, script] of Object.entries(modules)) writeExecutable(join(share, "modules/v3", name), script);
  const config = {
    ServerURL: options.serverUrl,
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 2,
    RetryPollIntervalSeconds: 1,
    ...options.config,
  };
  writeFileSync(join(etc, "mender.conf"), JSON.stringify(config));
  const script = [
    "set -e",
    // The package's own modules stay visible beside the device's.
    `for module in ${MODULES}/*; do cp -n "$module" "$2/modules/v3/"; done`,
    'mount --bind "$1" /etc/mender',
    'mount --bind "$2" /usr/share/mender',
    'exec mender --config /etc/mender/mender.conf --data "$3" --no-syslog daemon',
  ].join("\n");
  return startProgram(
    "unshare",
    ["--mount", "sh", "-c", script, "sh", etc, share, data],
    given({ environment: options.environment }),
  );
}
