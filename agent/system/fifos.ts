import * as fs from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { type FifoWriter, isSystemError, SystemError } from "@upkeep/shared/system";
import { asSystemError, synchronously, translated } from "./errors.ts";
import { startProcess } from "./processes.ts";

const open = promisify(fs.open);
const writeTo: (descriptor: number, data: Uint8Array) => Promise<{ bytesWritten: number }> = promisify(fs.write);

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;
/** Refers to a file without opening it. Node has no constant for it; its value is the same on all machines that Node runs on. */
const O_PATH = 0o10000000;

/**
 * How many FIFOs may be opened and written by a thread of the pool, which has four. A thread is woken by the reader, and
 * writes two to three times as fast as the event loop, which wakes for each 64 KiB; but it blocks while there is no
 * reader, or while that does not read. With one thread for FIFOs, readers that do not read cannot block the pool.
 */
const THREADS = 2;
let threadsInUse = 0;

/** An empty FIFO takes that much at once, on any system. */
const PAGE_BYTES = 4096;

/** Intervals, in milliseconds, of checking for a reader without a thread: the first and the longest. */
const LOOK = { firstMs: 1, lastMs: 250 } as const;

/** Node cannot make FIFOs; `mkfifo` is part of coreutils and of busybox. */
export async function makeFifos(paths: readonly string[], permissions = 0o600): Promise<void> {
  const complaint: Uint8Array[] = [];
  const mkfifo = await startProcess({
    command: "mkfifo",
    args: ["-m", permissions.toString(8).padStart(4, "0"), "--", ...paths],
    environment: { LC_ALL: "C" },
    onStderr: (data) => complaint.push(data),
  });
  const exit = await mkfifo.exit;
  if ("code" in exit && exit.code === 0) return;
  const said = Buffer.concat(complaint).toString("utf8").trim();
  // The program has no exit codes of its own, so its message is parsed.
  const code = said.includes("File exists") ? "EEXIST" : "EIO";
  throw new SystemError(code, `cannot make the FIFO ${paths.join(", ")}: ${said}`);
}

/** A FIFO that can be opened, also after its name was removed. */
class Fifo {
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = synchronously(() => fs.openSync(path, O_PATH));
    if (fs.fstatSync(this.#descriptor).isFIFO()) return;
    this.close();
    throw new SystemError("EINVAL", `${path} is not a FIFO`);
  }

  get path(): string {
    return `/proc/self/fd/${this.#descriptor}`;
  }

  /** Its reading end, which never waits. */
  openReader(): number {
    return synchronously(() => fs.openSync(this.path, O_RDONLY | O_NONBLOCK));
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** Rejects when the signal is aborted, although `call` itself continues. */
function abortable(call: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return call;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Writes block in a thread of the pool. */
class ThreadFifoWriter implements FifoWriter {
  readonly #fifo: Fifo;
  readonly #descriptor: number;
  #writing: Promise<void> | undefined;
  #failure: SystemError | undefined;
  #closed = false;
  #empty = true;

  constructor(fifo: Fifo, descriptor: number) {
    this.#fifo = fifo;
    this.#descriptor = descriptor;
  }

  async write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const fits = this.#empty && data.length <= PAGE_BYTES;
    this.#empty = false;
    if (fits) {
      synchronously(() => fs.writeSync(this.#descriptor, data));
      return;
    }
    const writing = this.#writeAll(data).catch((error: unknown) => {
      this.#failure = asSystemError(error);
    });
    this.#writing = writing;
    await abortable(writing, signal);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#release();
    threadsInUse -= 1;
    this.#fifo.close();
    fs.closeSync(this.#descriptor);
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    for (let written = 0; written < data.length && !this.#closed; ) {
      written += (await writeTo(this.#descriptor, data.subarray(written))).bytesWritten;
    }
  }

  /** A write without a reader would block its thread for ever: read the FIFO ourselves. */
  async #release(): Promise<void> {
    let released = this.#writing === undefined;
    void this.#writing?.then(() => {
      released = true;
    });
    await nextTurn();
    if (released) return;
    const drain = this.#fifo.openReader();
    try {
      const waste = Buffer.allocUnsafe(64 * 1024);
      while (!released) {
        takeWhatIsThere(drain, waste);
        await nextTurn();
      }
    } finally {
      fs.closeSync(drain);
    }
  }
}

function takeWhatIsThere(descriptor: number, waste: Buffer): void {
  try {
    fs.readSync(descriptor, waste);
  } catch (error) {
    if (!isSystemError(asSystemError(error), "EAGAIN")) throw asSystemError(error);
  }
}

/** Writes wait in the event loop, which gets the descriptor as a pipe. */
class LoopFifoWriter implements FifoWriter {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #failure: SystemError | undefined;

  constructor(descriptor: number) {
    this.#socket = new Socket({ fd: descriptor, readable: false, writable: true });
    this.#closed = new Promise((resolve) => {
      this.#socket.on("close", () => resolve());
    });
    this.#socket.on("error", (error) => {
      this.#failure = asSystemError(error);
    });
  }

  async write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const writing = new Promise<void>((resolve, reject) => {
      this.#socket.write(data, (error) => {
        if (error) reject(asSystemError(error));
        else resolve();
      });
    });
    await abortable(writing, signal);
  }

  async close(): Promise<void> {
    // Not `end`: it would shut the descriptor down as a socket, which a FIFO is not.
    this.#socket.destroy();
    await this.#closed;
  }
}

/** Resolves once there is a reader, with the writing end for blocking writes. Takes a thread of the pool meanwhile. */
async function waitInThread(fifo: Fifo, signal: AbortSignal | undefined): Promise<number> {
  let reader: number | undefined;
  // Ends the wait of the thread, which would also keep the program from ending.
  const release = (): void => {
    reader ??= fifo.openReader();
  };
  signal?.addEventListener("abort", release, { once: true });
  process.once("exit", release);
  try {
    const descriptor = await translated(open(fifo.path, O_WRONLY));
    if (reader === undefined) return descriptor;
    fs.closeSync(descriptor);
    throw signal?.reason;
  } finally {
    signal?.removeEventListener("abort", release);
    process.off("exit", release);
    if (reader !== undefined) fs.closeSync(reader);
  }
}

/** The writing end for blocking writes of a FIFO that has a reader; `undefined` if it has none. */
function openWithoutWaiting(fifo: Fifo): number | undefined {
  const unblocking = openUnlessUnread(fifo);
  if (unblocking === undefined) return undefined;
  // The reader may be gone by now: with a reader of our own, opening never waits.
  const reader = fifo.openReader();
  try {
    return synchronously(() => fs.openSync(fifo.path, O_WRONLY));
  } finally {
    fs.closeSync(reader);
    fs.closeSync(unblocking);
  }
}

async function openInThread(fifo: Fifo, signal: AbortSignal | undefined): Promise<FifoWriter> {
  threadsInUse += 1;
  try {
    return new ThreadFifoWriter(fifo, openWithoutWaiting(fifo) ?? (await waitInThread(fifo, signal)));
  } catch (error) {
    threadsInUse -= 1;
    fifo.close();
    throw error;
  }
}

/** Looks for a reader at growing intervals. */
async function openInLoop(fifo: Fifo, signal: AbortSignal | undefined): Promise<FifoWriter> {
  try {
    for (let delayMs: number = LOOK.firstMs; ; delayMs = Math.min(delayMs * 2, LOOK.lastMs)) {
      signal?.throwIfAborted();
      const descriptor = openUnlessUnread(fifo);
      if (descriptor !== undefined) return new LoopFifoWriter(descriptor);
      await abortable(pause(delayMs), signal);
    }
  } finally {
    fifo.close();
  }
}

function openUnlessUnread({ path }: Fifo): number | undefined {
  try {
    return synchronously(() => fs.openSync(path, O_WRONLY | O_NONBLOCK));
  } catch (error) {
    if (isSystemError(error, "ENXIO")) return undefined;
    throw error;
  }
}

export async function openFifo(path: string, signal?: AbortSignal): Promise<FifoWriter> {
  signal?.throwIfAborted();
  const fifo = new Fifo(path);
  return await (threadsInUse < THREADS ? openInThread(fifo, signal) : openInLoop(fifo, signal));
}
