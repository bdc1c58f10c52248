import { resolve } from "node:path";
import { given } from "@upkeep/shared/given";
import type { LogFormat, LogLevel } from "@upkeep/shared/logging";
import type { PathOptions } from "../config/paths.ts";
import { modulesBeside } from "../system/runtime.ts";

/** Options that every command takes. */
export interface Globals {
  readonly config?: string | undefined;
  readonly fallbackConfig?: string | undefined;
  readonly datastore?: string | undefined;
  readonly root?: string | undefined;
  /** PEM certificates, in place of those of ServerCertificate. */
  readonly trustedCerts?: string | undefined;
  readonly skipverify?: boolean | undefined;
  readonly logFile?: string | undefined;
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
    ...given({ ownModules: modulesBeside() }),
  };
}

/** True unless the command line names another device's directory, whose daemon this machine's systemd does not run. */
export function isOwnDevice({ datastore, root }: Globals): boolean {
  return datastore === undefined && root === undefined;
}

/** The environment variables with which the agent passes its options to update modules. */
const TOLD = { root: "UPKEEP_ROOT", config: "UPKEEP_CONFIG", fallbackConfig: "UPKEEP_FALLBACK_CONFIG" } as const;
type Told = Pick<Globals, keyof typeof TOLD>;

/** Sets the variables for update modules: our own module must use the same root and the same files. */
export function tellModules(options: Told): void {
  for (const [name, variable] of Object.entries(TOLD) as [keyof Told, string][]) {
    const path = options[name];
    if (path !== undefined) process.env[variable] = resolve(path);
  }
}

/** The options of our own update module, from its command line or from the agent that started it. */
export function toldToModule(
  options: Told,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly [Name in keyof typeof TOLD]: string | undefined } {
  const told = (name: keyof Told): string | undefined => options[name] ?? environment[TOLD[name]];
  return { root: told("root"), config: told("config"), fallbackConfig: told("fallbackConfig") };
}

/** Exit codes. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** There is no update to commit or roll back. */
  noneInProgress: 2,
  /** Only of `check`: an update failed, and the server knows it. */
  updateFailed: 3,
  /** Only with --reboot-exit-code: all went well, and the device must be rebooted. */
  rebootNeeded: 4,
  /** Only of `check`: the server was not reached or did not answer, or an update is not over. The next check goes on. */
  unfinished: 5,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
