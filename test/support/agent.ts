import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "./program.ts";

const UPKEEP = join(import.meta.dirname, "../../agent/bin/upkeep.cjs");

export interface AgentRoot {
  readonly serverUrl: string;
  readonly deviceType: string;
  /** What the identity script says. */
  readonly identity: Readonly<Record<string, string>>;
  /** Update modules: name → script. */
  readonly modules?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A device's file system, as far as the agent looks at it, below `root`. */
export function createAgentRoot(root: string, device: AgentRoot): void {
  const directory = (path: string): string => {
    mkdirSync(join(root, path), { recursive: true });
    return join(root, path);
  };
  const executable = (path: string, content: string): void => {
    writeFileSync(path, content);
    chmodSync(path, 0o755);
  };
  const modules = directory("usr/share/mender/modules/v3");
  const lines = Object.entries(device.identity).map(([key, value]) => `echo ${key}=${value}`);
  executable(
    join(directory("usr/share/mender/identity"), "mender-device-identity"),
    `#!/bin/sh\n${lines.join("\n")}\n`,
  );
  for (const [name, script] of Object.entries(device.modules ?? {})) executable(join(modules, name), script);
  writeFileSync(join(directory("var/lib/mender"), "device_type"), `device_type=${device.deviceType}\n`);
  const config = {
    ServerURL: device.serverUrl,
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 5,
    RetryPollIntervalSeconds: 1,
    ...device.config,
  };
  writeFileSync(join(directory("etc/mender"), "mender.conf"), `${JSON.stringify(config, undefined, 2)}\n`);
}

/** Start the built agent's daemon on the device below `root`. */
export function startAgent(
  root: string,
  options: {
    args?: readonly string[];
    environment?: Readonly<Record<string, string>>;
    nodeFlags?: readonly string[];
  } = {},
): Program {
  const args = [
    ...(options.nodeFlags ?? []),
    UPKEEP,
    "--root",
    root,
    "--log-format",
    "json",
    "--log-level",
    "debug",
    ...(options.args ?? []),
    "daemon",
  ];
  return startProgram(process.execPath, args, options.environment ? { environment: options.environment } : {});
}

/** Run one of the agent's other commands to its end. Returns its standard output; throws if it fails. */
export function runUpkeep(root: string, args: readonly string[]): string {
  return execFileSync(process.execPath, [UPKEEP, "--root", root, ...args], { encoding: "utf8", stdio: "pipe" });
}
