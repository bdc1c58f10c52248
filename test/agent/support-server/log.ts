import type { Logger, LogLevel } from "@upkeep/shared/logging";

/** A logger that keeps its lines: `level message`. */
export class KeptLog implements Logger {
  readonly lines: string[] = [];

  #keep(level: LogLevel, message: string): void {
    this.lines.push(`${level} ${message}`);
  }
  fatal(message: string): void {
    this.#keep("fatal", message);
  }
  error(message: string): void {
    this.#keep("error", message);
  }
  warning(message: string): void {
    this.#keep("warning", message);
  }
  info(message: string): void {
    this.#keep("info", message);
  }
  debug(message: string): void {
    this.#keep("debug", message);
  }
  trace(message: string): void {
    this.#keep("trace", message);
  }
  with(): Logger {
    return this;
  }
}
