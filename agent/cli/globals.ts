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

/** Update modules are programs of their own, started elsewhere: ours must look below the same root. */
export function tellModules({ root }: Pick<Globals, "root">): void {
  if (root !== undefined) process.env.UPKEEP_ROOT = resolve(root);
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
