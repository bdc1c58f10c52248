import type { LogFormat, LogLevel } from "@upkeep/shared/logging";

/** Options that every command takes. */
export interface Globals {
  readonly config?: string | undefined;
  readonly fallbackConfig?: string | undefined;
  readonly datastore?: string | undefined;
  readonly root?: string | undefined;
  readonly logLevel?: LogLevel | undefined;
  readonly logFormat?: LogFormat | undefined;
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
