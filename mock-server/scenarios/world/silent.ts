import type { Logger } from "@upkeep/shared/logging";

const silent = (): void => undefined;

/** A log that discards every line. */
export const SILENT: Logger = {
  fatal: silent,
  error: silent,
  warning: silent,
  info: silent,
  debug: silent,
  trace: silent,
  with: () => SILENT,
};
