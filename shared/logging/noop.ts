import type { Logger } from "./index.ts";

const noop = (): void => undefined;

/** A log that discards every line. */
export const noopLogger: Logger = {
  fatal: noop,
  error: noop,
  warning: noop,
  info: noop,
  debug: noop,
  trace: noop,
  with: () => noopLogger,
};
