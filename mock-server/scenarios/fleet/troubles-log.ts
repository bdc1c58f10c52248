import type { LogFields, Logger } from "@upkeep/shared/logging";
import type { FleetFigures } from "./figures.ts";

/** Counts the devices' log lines by text, in place of thousands of separate logs. */
export function troublesLog(figures: FleetFigures): Logger {
  const silent = (): void => undefined;
  const counted = (message: string, fields: LogFields = {}): void => {
    figures.trouble(typeof fields.code === "string" ? fields.code : "other", message);
  };
  const log: Logger = {
    fatal: counted,
    error: counted,
    warning: counted,
    info: silent,
    debug: silent,
    trace: silent,
    with: () => log,
  };
  return log;
}
