import type { LogFields, Logger } from "@upkeep/shared/logging";

/** `log` without exceptions: a failed write must not stop the daemon. */
export function unfailing(log: Logger): Logger {
  return new UnfailingLog(log);
}

class UnfailingLog implements Logger {
  readonly #log: Logger;
  #unsaid = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  fatal(message: string, fields?: LogFields): void {
    this.#say("fatal", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#say("error", message, fields);
  }

  warning(message: string, fields?: LogFields): void {
    this.#say("warning", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#say("info", message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#say("debug", message, fields);
  }

  trace(message: string, fields?: LogFields): void {
    this.#say("trace", message, fields);
  }

  with(fields: LogFields): Logger {
    return new UnfailingLog(this.#log.with(fields));
  }

  #say(level: Exclude<keyof Logger, "with">, message: string, fields: LogFields | undefined): void {
    const before = this.#unsaid === 0 ? "" : ` (${this.#unsaid} messages before this one could not be written)`;
    try {
      this.#log[level](`${message}${before}`, fields);
      this.#unsaid = 0;
    } catch {
      this.#unsaid++;
    }
  }
}
