import { resolve } from "node:path";
import type { LogFormat, LogLevel } from "@upkeep/shared/logging";
import type { PathOptions } from "../config/paths.ts";

/** Options that every command takes. */
export interface Globals {
  readonly config?: string | undefined;
  readonly fallbackConfig?: string | undefined;
  readonly datastore?: string | undefined;
  readonly root?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  readonly logFormat?: LogFormat | undefined;
}

/** Paths of the command line are those of the directory in which it was typed. */
export function pathOptions({ config, fallbackConfig, datastore, root }: Globals): PathOptions {
  return {
    ...(config === undefined ? {} : { config: resolve(config) }),
    ...(fallbackConfig === undefined ? {} : { fallbackConfig: resolve(fallbackConfig) }),
    ...(datastore === undefined ? {} : { datastore: resolve(datastore) }),
    ...(root === undefined ? {} : { root: resolve(root) }),
  };
}

/** True unless the command line names the place of another device: then this machine's systemd knows nothing of it. */
export function isOwnDevice({ datastore, root }: Globals): boolean {
  return datastore === undefined && root === undefined;
}

/** In whose environment update modules find what the agent was started with, by the option's name. */
const TOLD = { root: "UPKEEP_ROOT", config: "UPKEEP_CONFIG", fallbackConfig: "UPKEEP_FALLBACK_CONFIG" } as const;
type Told = Pick<Globals, keyof typeof TOLD>;

/** Update modules are programs of their own, started elsewhere: ours must look below the same root, and read the same files. */
export function tellModules(options: Told): void {
  for (const [name, variable] of Object.entries(TOLD) as [keyof Told, string][]) {
    const path = options[name];
    if (path !== undefined) process.env[variable] = resolve(path);
  }
}

/** What an update module of ours was told, on its command line or by the agent that started it. */
export function toldToModule(
  options: Told,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly [Name in keyof typeof TOLD]: string | undefined } {
  const told = (name: keyof Told): string | undefined => options[name] ?? environment[TOLD[name]];
  return { root: told("root"), config: told("config"), fallbackConfig: told("fallbackConfig") };
}

/** What a command ends with. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** There is no update to commit or roll back. */
  noneInProgress: 2,
  /** Only with --reboot-exit-code: all went well, and the device must be rebooted. */
  rebootNeeded: 4,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
