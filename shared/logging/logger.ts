import pino from "pino";
import { printable } from "../text/index.ts";
import type { LogFields, Logger, LogLevel } from "./index.ts";
import { isoTimeFormatter } from "./iso-time.ts";

/**
 * `human`: short times, for a terminal; `brief`: no times, for the log of a command that a person waits for; `plain`: for
 * a file; `json`: one object a line; `journal`: text after `<priority>`.
 */
export type LogFormat = "human" | "brief" | "plain" | "json" | "journal";

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Colour `human` and `brief` lines. */
  readonly colours?: boolean;
  /** Takes each line, with its line feed. */
  readonly write: (line: string) => void;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

interface LevelFacts {
  readonly value: number;
  /** Of syslog, as journald reads it at the start of a line. */
  readonly priority: number;
  readonly colour: string;
}

const LEVELS: Record<LogLevel, LevelFacts> = {
  trace: { value: 10, priority: 7, colour: "\x1b[90m" },
  debug: { value: 20, priority: 7, colour: "\x1b[90m" },
  info: { value: 30, priority: 6, colour: "\x1b[32m" },
  warning: { value: 40, priority: 4, colour: "\x1b[33m" },
  error: { value: 50, priority: 3, colour: "\x1b[31m" },
  fatal: { value: 60, priority: 2, colour: "\x1b[35m" },
};

const GREY = "\x1b[90m";
const RESET = "\x1b[0m";

/** Colours a text, or leaves it as it is. */
type Paint = (colour: string, text: string) => string;
const painted: Paint = (colour, text) => `${colour}${text}${RESET}`;
const unpainted: Paint = (_, text) => text;

function fieldsAsText(fields: LogFields): string {
  return Object.entries(fields)
    .map(([key, value]) => {
      const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
      return ` ${key}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
    })
    .join("");
}

/** How each format lays out one event. Control characters are escaped: one event, one line. */
const LAYOUTS: Record<
  Exclude<LogFormat, "json">,
  (time: string, level: LogLevel, text: string, paint: Paint) => string
> = {
  human: (time, level, text, paint) =>
    `${paint(GREY, time.slice(11, 23))} ${paint(LEVELS[level].colour, level.padEnd(7))} ${text}\n`,
  brief: (_time, level, text, paint) =>
    level === "info" ? `${text}\n` : `${paint(LEVELS[level].colour, `${level}:`)} ${text}\n`,
  plain: (time, level, text) => `${time} ${level} ${text}\n`,
  journal: (_time, level, text) => `<${LEVELS[level].priority}>${text}\n`,
};

/** Turns pino's JSON lines into lines for a person. */
function layOut(format: Exclude<LogFormat, "json">, line: string, paint: Paint): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const text = printable(String(message) + fieldsAsText(fields));
  return LAYOUTS[format](String(time), level as LogLevel, text, paint);
}

/** A text that stands in JSON as it is. */
const VERBATIM = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quoted(text: string): string {
  return VERBATIM.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The fields of an event as they stand in its line; `undefined`: not all of them are texts and numbers. */
function flat(fields: LogFields): string | undefined {
  let line = "";
  for (const key in fields) {
    const value = fields[key];
    if (typeof value === "string") line += `,${quoted(key)}:${quoted(value)}`;
    else if (typeof value === "number" && Number.isFinite(value)) line += `,${quoted(key)}:${value}`;
    else return undefined;
  }
  return line;
}

type Pino = pino.Logger<LogLevel>;
type WriteLine = (level: LogLevel, fields: string, message: string) => void;

class PinoLogger implements Logger {
  readonly #pino: Pino;
  readonly #line: WriteLine | undefined;

  /** @param line Writes a line of JSON whose fields are written already. */
  constructor(inner: Pino, line?: WriteLine) {
    this.#pino = inner;
    this.#line = line;
  }

  fatal(message: string, fields: LogFields = {}): void {
    this.#pino.fatal(fields, message);
  }
  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message);
  }
  warning(message: string, fields: LogFields = {}): void {
    this.#pino.warning(fields, message);
  }
  info(message: string, fields: LogFields = {}): void {
    // A server writes one for each request, and there is nothing in it that pino is needed for.
    const plain = this.#line === undefined ? undefined : flat(fields);
    if (plain === undefined) this.#pino.info(fields, message);
    else if (this.#pino.isLevelEnabled("info")) this.#line?.("info", plain, message);
  }
  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }
  trace(message: string, fields: LogFields = {}): void {
    this.#pino.trace(fields, message);
  }
  with(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(fields) as Pino);
  }
}

/** A logger that writes each event as one line in the given format. */
export function createLogger(options: LoggerOptions): Logger {
  const { format, write } = options;
  const timeOf = isoTimeFormatter();
  const paint = options.colours ? painted : unpainted;
  const destination = { write: (line: string) => write(format === "json" ? line : layOut(format, line, paint)) };
  const inner = pino<LogLevel>(
    {
      base: null,
      level: options.level,
      customLevels: Object.fromEntries(Object.entries(LEVELS).map(([name, { value }]) => [name, value])) as Record<
        LogLevel,
        number
      >,
      useOnlyCustomLevels: true,
      messageKey: "message",
      timestamp: () => `,"time":"${timeOf(options.now())}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
  if (format !== "json") return new PinoLogger(inner as Pino);
  return new PinoLogger(inner as Pino, (level, fields, message) =>
    write(`{"level":"${level}","time":"${timeOf(options.now())}"${fields},"message":${quoted(message)}}\n`),
  );
}
