import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { startMenderClient } from "../interop/mender-client.ts";
import { peerPath } from "../interop/peers.ts";
import { createAgentRoot } from "../support/agent.ts";
import { type Program, startProgram } from "../support/program.ts";
import { DEVICE_TYPE, DROP_MODULE, type makeDevice, PAYLOAD_TYPE } from "./material.ts";
import type { Command } from "./measure.ts";

export const REPOSITORY = join(import.meta.dirname, "../..");
export const UPKEEP = join(REPOSITORY, "agent/bin/upkeep.cjs");
export const UPKEEP_SERVER = join(REPOSITORY, "mock-server/bin/upkeep-server.mjs");

export type ClientName = "upkeep" | "mender";

type Device = ReturnType<typeof makeDevice>;

/** One command of each client, on a device made by `makeDevice`. */
export const COMMANDS: Readonly<Record<ClientName, (device: Device, args: readonly string[]) => Command>> = {
  upkeep: ({ root }, args) => ({ program: process.execPath, args: [UPKEEP, "--root", root, ...args] }),
  mender: ({ etc, share, data }, args) => ({
    // The peer's paths are fixed: give it ours in a mount namespace of its own.
    program: "/usr/bin/unshare",
    args: [
      "--mount",
      "sh",
      "-c",
      `mount --bind "$1" /etc/mender && mount --bind "$2" /usr/share/mender && shift 2 && exec "$@"`,
      "sh",
      etc,
      share,
      ...["mender", "--config", join(etc, "mender.conf"), "--data", data, "--no-syslog", ...args],
    ],
  }),
};

/** Why the peer cannot be measured here; `undefined` if it can. */
export function missingPeer(): string | undefined {
  if (peerPath("mender") === undefined) return "mender is not installed (Debian's package mender-client has it)";
  if (process.getuid?.() !== 0)
    return "measuring mender needs root: its paths are fixed, so it runs in a mount namespace";
  return undefined;
}

export function demandBuild(): void {
  if (!existsSync(join(REPOSITORY, "agent/dist/upkeep.cjs"))) throw new Error("run npm run build first");
}

export interface DaemonOptions {
  readonly folder: string;
  readonly serverUrl: string;
  readonly mac: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** The program of our agent and its first arguments, if it is not the built one under this Node. */
  readonly command?: readonly [string, ...string[]];
}

/** The daemon of each client, with its default logging, on a new device in `folder`. */
export const DAEMONS: Readonly<Record<ClientName, (options: DaemonOptions) => Program>> = {
  upkeep: ({ folder, serverUrl, mac, config, command: [program, ...args] = [process.execPath, UPKEEP] }) => {
    createAgentRoot(folder, {
      serverUrl,
      deviceType: DEVICE_TYPE,
      identity: { mac },
      modules: { [PAYLOAD_TYPE]: DROP_MODULE },
      config,
    });
    return startProgram(program, [...args, "--root", folder, "daemon"]);
  },
  mender: ({ folder, serverUrl, mac, config }) => {
    mkdirSync(folder, { recursive: true });
    const modules = { [PAYLOAD_TYPE]: DROP_MODULE };
    return startMenderClient({ folder, serverUrl, deviceType: DEVICE_TYPE, mac, modules, config });
  },
};
