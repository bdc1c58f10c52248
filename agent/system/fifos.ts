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

/** A path of a file that is open, also after its name was removed. */
function pathOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** Refers to a FIFO without opening one of its ends. */
function referTo(path: string): number {
  return synchronously(() => fs.openSync(path, O_PATH));
}

/** The reading end of an open FIFO, which never waits. */
function openReader(descriptor: number): number {
  return synchronously(() => fs.openSync(pathOf(descriptor), O_RDONLY | O_NONBLOCK));
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

/** Writes block in a thread of the pool, except for the first ones if they are small. */
class ThreadFifoWriter implements FifoWriter {
  #descriptor: number;
  #blocking: boolean;
  #writing: Promise<void> | undefined;
  #failure: SystemError | undefined;
  #closed = false;
  /** What the FIFO takes without a reader that reads. */
  #roomBytes = PAGE_BYTES;

  /** @param blocking Whether writes through `descriptor` wait for room. */
  constructor(descriptor: number, blocking: boolean) {
    this.#descriptor = descriptor;
    this.#blocking = blocking;
  }

  async write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const fits = data.length <= this.#roomBytes;
    this.#roomBytes = fits ? this.#roomBytes - data.length : 0;
    if (fits) {
      synchronously(() => fs.writeSync(this.#descriptor, data));
      return;
    }
    this.#block();
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
    fs.closeSync(this.#descriptor);
  }

  /** Makes writes wait for room. */
  #block(): void {
    if (this.#blocking) return;
    // The reader may be gone by now: with a reader of our own, opening never waits.
    const reader = openReader(this.#descriptor);
    try {
      const descriptor = synchronously(() => fs.openSync(pathOf(this.#descriptor), O_WRONLY));
      fs.closeSync(this.#descriptor);
      this.#descriptor = descriptor;
      this.#blocking = true;
    } finally {
      fs.closeSync(reader);
    }
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
    const drain = openReader(this.#descriptor);
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

/** What ends the waits of threads: those would keep the program from ending. */
const atExit = new Set<() => void>();
let isListening = false;

function releaseAtExit(release: () => void): void {
  atExit.add(release);
  if (isListening) return;
  isListening = true;
  process.once("exit", () => {
    for (const one of atExit) one();
  });
}

/** Resolves once there is a reader, with the writing end for blocking writes. Takes a thread of the pool meanwhile. */
async function waitInThread(path: string, signal: AbortSignal | undefined): Promise<number> {
  const fifo = referTo(path);
  let reader: number | undefined;
  const release = (): void => {
    reader ??= openReader(fifo);
  };
  signal?.addEventListener("abort", release, { once: true });
  releaseAtExit(release);
  try {
    const descriptor = await translated(open(pathOf(fifo), O_WRONLY));
    if (reader === undefined) return descriptor;
    fs.closeSync(descriptor);
    throw signal?.reason;
  } finally {
    signal?.removeEventListener("abort", release);
    atExit.delete(release);
    if (reader !== undefined) fs.closeSync(reader);
    fs.closeSync(fifo);
  }
}

async function openInThread(path: string, signal: AbortSignal | undefined): Promise<FifoWriter> {
  threadsInUse += 1;
  try {
    const ready = openUnlessUnread(path);
    return ready === undefined
      ? new ThreadFifoWriter(await waitInThread(path, signal), true)
      : new ThreadFifoWriter(ready, false);
  } catch (error) {
    threadsInUse -= 1;
    throw error;
  }
}

/** Looks for a reader at growing intervals. */
async function openInLoop(path: string, signal: AbortSignal | undefined): Promise<FifoWriter> {
  const fifo = referTo(path);
  try {
    for (let delayMs: number = LOOK.firstMs; ; delayMs = Math.min(delayMs * 2, LOOK.lastMs)) {
      signal?.throwIfAborted();
      const descriptor = openUnlessUnread(pathOf(fifo), path);
      if (descriptor !== undefined) return new LoopFifoWriter(descriptor);
      await abortable(pause(delayMs), signal);
    }
  } finally {
    fs.closeSync(fifo);
  }
}

/** The writing end, whose writes do not wait; `undefined` if nothing reads. */
function openUnlessUnread(path: string, name = path): number | undefined {
  // ENXIO is an answer here, for two opens of each payload file: a stack trace would cost more than the call.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    const descriptor = fs.openSync(path, O_WRONLY | O_NONBLOCK);
    if (fs.fstatSync(descriptor).isFIFO()) return descriptor;
    fs.closeSync(descriptor);
    throw new SystemError("EINVAL", `${name} is not a FIFO`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENXIO") return undefined;
    throw asSystemError(error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export async function isFifoRead(path: string): Promise<boolean> {
  const descriptor = openUnlessUnread(path);
  if (descriptor !== undefined) fs.closeSync(descriptor);
  return descriptor !== undefined;
}

export async function openFifo(path: string, signal?: AbortSignal): Promise<FifoWriter> {
  signal?.throwIfAborted();
  return await (threadsInUse < THREADS ? openInThread(path, signal) : openInLoop(path, signal));
}
