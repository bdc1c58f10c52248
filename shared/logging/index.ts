/** Severity of a log line, most severe first. */
export const LOG_LEVELS = ["fatal", "error", "warning", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts of an event, beside its message. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line an event. The message is for a person; the fields are for programs. */
export interface Logger {
  fatal(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
  /** A logger whose lines carry these fields too. */
  with(fields: LogFields): Logger;
}

export { createLogger, type LogFormat, type LoggerOptions } from "./logger.ts";
export { noopLogger } from "./noop.ts";
