import type { LogFields, Logger, LogLevel } from "@upkeep/shared/logging";
import { LogMessage, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { type Clock, type FileHandle, type Files, removeDurably } from "@upkeep/shared/system";
import * as z from "zod/mini";

/** How many logs are kept, the newest included. */
const LOGS_MAX = 5;
/** With less room than this on the disk, older logs are removed. */
const FREE_BYTES_MIN = 100 * 1024;
const LOG_NAME = /^deployments\.(\d{4})\.(.+)\.log$/;
/** Levels that are not sent to the server. */
const LEFT_OUT: readonly LogLevel[] = ["debug", "trace"];

/** Limit of the lines that are kept in memory while the file cannot be written; the last ones stay. */
const UNWRITTEN_CHARACTERS_MAX = 128 * 1024;

const FRAME_BYTES = '{"messages":[]}'.length;

interface DeploymentLogOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly directory: string;
  readonly deployment: string;
  /** Gets every line too. */
  readonly outer: Logger;
}

/**
 * The log of one deployment, for the server and for a person at the device: JSON lines in `deployments.0000.<id>.log`;
 * older logs have higher numbers. A log that cannot be written never stops an update: its lines stay in memory, are sent to
 * the server all the same, and are written once the disk can be.
 */
export class DeploymentLog {
  readonly #options: DeploymentLogOptions;
  readonly #path: string;
  #handle: FileHandle | undefined;
  #pending = "";
  /** Lines that could not be written yet. */
  #unwritten = "";
  #writing: Promise<void> = Promise.resolve();
  #broken = false;

  private constructor(options: DeploymentLogOptions) {
    this.#options = options;
    this.#path = `${options.directory}/${nameOf(0, options.deployment)}`;
  }

  /** The log of a deployment that begins or goes on. It becomes number 0000; the others move up. */
  static async open(options: DeploymentLogOptions): Promise<DeploymentLog> {
    const log = new DeploymentLog(options);
    await log.#try(() => log.#open());
    return log;
  }

  async #open(): Promise<void> {
    const { files, directory, deployment } = this.#options;
    await files.makeDirectory(directory, 0o700);
    await makeRoom(files, directory, deployment);
    this.#handle = await files.open(this.#path, "append", 0o600);
    await files.syncDirectory(directory);
  }

  /** A logger that writes to this log and to the agent's. */
  get logger(): Logger {
    return tee(this.#options.outer, (level, message) => this.#append(level, message));
  }

  /** Make the lines so far durable. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#try(async () => {
      if (this.#broken) await this.#catchUp();
      await this.#handle?.sync();
    });
  }

  async close(): Promise<void> {
    await this.flush();
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** Write the lines that could not be written before. */
  async #catchUp(): Promise<void> {
    if (this.#handle === undefined) await this.#open();
    const text = this.#unwritten;
    // The last line in the file may be incomplete.
    await this.#handle?.write(new TextEncoder().encode(`\n${text}`));
    this.#unwritten = this.#unwritten.slice(text.length);
    this.#broken = false;
  }

  /** The log for the server: its end within the protocol's size limit, broken lines replaced. Never empty. */
  async messages(): Promise<LogMessage[]> {
    await this.flush();
    const note = (message: string): LogMessage => ({ timestamp: this.#now(), level: "error", message });
    try {
      const { text, cut } = await this.#tail();
      return selectMessages(`${text}\n${this.#unwritten}`, cut, note);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return [note(`the deployment log cannot be read: ${why}`), ...selectMessages(this.#unwritten, false, note)];
    }
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  #append(level: LogLevel, message: string): void {
    if (LEFT_OUT.includes(level)) return;
    const idle = this.#pending === "";
    this.#pending += `${JSON.stringify({ timestamp: this.#now(), level, message: message || "(empty)" })}\n`;
    if (idle) this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (this.#broken) return this.#keep(text);
    await this.#try(async () => {
      try {
        await this.#handle?.write(new TextEncoder().encode(text));
      } catch (error) {
        this.#keep(text);
        throw error;
      }
    });
  }

  #keep(text: string): void {
    const kept = this.#unwritten + text;
    const over = kept.length - UNWRITTEN_CHARACTERS_MAX;
    this.#unwritten = over <= 0 ? kept : kept.slice(kept.indexOf("\n", over) + 1);
  }

  /** Reports a failure once, until an attempt succeeds. */
  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#broken) return;
      this.#broken = true;
      const why = error instanceof Error ? error.message : String(error);
      const message = `the deployment log ${this.#path} cannot be written: ${why}`;
      this.#options.outer.warning(message);
      // For the server too: it is probably the reason of later failures.
      this.#append("warning", message);
    }
  }

  /** The end of the file, as much as the protocol allows. */
  async #tail(): Promise<{ text: string; cut: boolean }> {
    const { files } = this.#options;
    const sizeBytes = (await files.status(this.#path))?.sizeBytes ?? 0;
    const from = Math.max(0, sizeBytes - PROTOCOL_LIMITS.logBytesMax);
    if (sizeBytes === 0) return { text: "", cut: false };
    const buffer = new Uint8Array(sizeBytes - from);
    const handle = await files.open(this.#path, "read");
    try {
      let filled = 0;
      while (filled < buffer.length) {
        const count = await handle.read(buffer.subarray(filled), from + filled);
        if (count === 0) break;
        filled += count;
      }
      const text = new TextDecoder().decode(buffer.subarray(0, filled));
      // The first line is probably incomplete.
      return from === 0 ? { text, cut: false } : { text: text.slice(text.indexOf("\n") + 1), cut: true };
    } finally {
      await handle.close();
    }
  }
}

function nameOf(number: number, deployment: string): string {
  return `deployments.${String(number).padStart(4, "0")}.${deployment}.log`;
}

/** Free the number 0000 for `deployment`, and rename its existing log to it. */
async function makeRoom(files: Files, directory: string, deployment: string): Promise<void> {
  const found = (await files.list(directory)).flatMap(({ name }) => {
    const [, number, id] = LOG_NAME.exec(name) ?? [];
    return number === undefined || id === undefined ? [] : [{ name, id }];
  });
  const own = found.find(({ id }) => id === deployment);
  const others = found.filter((log) => log !== own);
  // From the oldest down, so that each new name is free.
  for (const [index, { name, id }] of [...others.entries()].reverse()) {
    const number = index + 1;
    const tight = number > 1 && (await files.freeBytes(directory)) < FREE_BYTES_MIN;
    if (number >= LOGS_MAX || tight) await removeDurably(files, `${directory}/${name}`);
    else if (name !== nameOf(number, id))
      await files.rename(`${directory}/${name}`, `${directory}/${nameOf(number, id)}`);
  }
  const wanted = nameOf(0, deployment);
  if (own !== undefined && own.name !== wanted)
    await files.rename(`${directory}/${own.name}`, `${directory}/${wanted}`);
}

function parseLine(line: string): LogMessage | undefined {
  try {
    const message = z.safeParse(LogMessage, JSON.parse(line));
    return message.success ? message.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The last messages of a log that fit, after notes about the others. */
export function selectMessages(text: string, cut: boolean, note: (message: string) => LogMessage): LogMessage[] {
  const cutNote = note("(the beginning of this log is left out: it is too long for the server)");
  const corruptNote = note("(parts of this log are corrupted: they are marked)");
  const corrupt = note("(CORRUPTED LOG DATA)");
  const sizeOf = (message: LogMessage): number => new TextEncoder().encode(JSON.stringify(message)).length + 1;
  let room = PROTOCOL_LIMITS.logBytesMax - FRAME_BYTES - sizeOf(cutNote) - sizeOf(corruptNote);
  const kept: LogMessage[] = [];
  let left = cut;
  let corrupted = false;
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines.reverse()) {
    const message = parseLine(line) ?? corrupt;
    room -= sizeOf(message);
    if (room < 0) {
      left = true;
      break;
    }
    corrupted ||= message === corrupt;
    kept.push(message);
  }
  const notes = [...(left ? [cutNote] : []), ...(corrupted ? [corruptNote] : [])];
  const messages = [...notes, ...kept.reverse()];
  return messages.length === 0 ? [note("(nothing was logged)")] : messages;
}

function tee(outer: Logger, append: (level: LogLevel, message: string) => void): Logger {
  const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
    outer[level](message, fields);
    append(level, fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
  };
  return {
    fatal: log("fatal"),
    error: log("error"),
    warning: log("warning"),
    info: log("info"),
    debug: log("debug"),
    trace: log("trace"),
    with: (fields) => tee(outer.with(fields), append),
  };
}
