import type { LogFields, Logger, LogLevel } from "@upkeep/shared/logging";
import { LogMessage, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { type Clock, type FileHandle, type Files, removeDurably } from "@upkeep/shared/system";
import * as z from "zod/mini";

/** Logs of so many deployments are kept, the newest included. */
const LOGS_MAX = 5;
/** With less room than this on the disk, older logs go first. */
const FREE_BYTES_MIN = 100 * 1024;
const LOG_NAME = /^deployments\.(\d{4})\.(.+)\.log$/;
/** Too fine for a log that travels to the server. */
const LEFT_OUT: readonly LogLevel[] = ["debug", "trace"];

/** Of what cannot be written, so much is kept in memory: the end of it. */
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
 * The log of one deployment, for the server and for whoever looks at the device later: JSON lines in
 * `deployments.0000.<id>.log`, older ones numbered upwards. A log that cannot be written never stops an update: what
 * is logged meanwhile stays in memory, goes to the server all the same, and to the disk once that can be written.
 */
export class DeploymentLog {
  readonly #options: DeploymentLogOptions;
  readonly #path: string;
  #handle: FileHandle | undefined;
  #pending = "";
  /** What could not be written yet. */
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

  /** A logger that writes both here and where the agent logs. */
  get logger(): Logger {
    return tee(this.#options.outer, (level, message) => this.#append(level, message));
  }

  /** Make durable what was logged so far. */
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

  /** Write what could not be written before. */
  async #catchUp(): Promise<void> {
    if (this.#handle === undefined) await this.#open();
    const text = this.#unwritten;
    // The line before it may have been written in part.
    await this.#handle?.write(new TextEncoder().encode(`\n${text}`));
    this.#unwritten = this.#unwritten.slice(text.length);
    this.#broken = false;
  }

  /** The log as the server gets it: within its size limit, the end kept, broken lines replaced. Never empty. */
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

  /** Whatever fails is told once, until it works again. */
  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#broken) return;
      this.#broken = true;
      const why = error instanceof Error ? error.message : String(error);
      const message = `the deployment log ${this.#path} cannot be written: ${why}`;
      this.#options.outer.warning(message);
      // The server is to learn of it too: most likely this is the reason for all that fails from here on.
      this.#append("warning", message);
    }
  }

  /** The last bytes of the file: as much as may be sent. */
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
      // The first line is most likely a part of one.
      return from === 0 ? { text, cut: false } : { text: text.slice(text.indexOf("\n") + 1), cut: true };
    } finally {
      await handle.close();
    }
  }
}

function nameOf(number: number, deployment: string): string {
  return `deployments.${String(number).padStart(4, "0")}.${deployment}.log`;
}

/** Free the number 0000 for `deployment`, whose log is taken along if it has one already. */
async function makeRoom(files: Files, directory: string, deployment: string): Promise<void> {
  const found = (await files.list(directory)).flatMap(({ name }) => {
    const [, number, id] = LOG_NAME.exec(name) ?? [];
    return number === undefined || id === undefined ? [] : [{ name, id }];
  });
  const own = found.find(({ id }) => id === deployment);
  const others = found.filter((log) => log !== own);
  // From the oldest down, so that no rename meets a name that is still taken.
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

/** The last messages of a log that fit, with what is to be said about the rest. */
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
