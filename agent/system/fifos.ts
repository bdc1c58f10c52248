import * as fs from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { type FifoWriter, isSystemError, SystemError } from "@upkeep/shared/system";
import { asSystemError, translated } from "./errors.ts";
import { startProcess } from "./processes.ts";

const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const close = promisify(fs.close);
const writeTo: (descriptor: number, data: Uint8Array) => Promise<{ bytesWritten: number }> = promisify(fs.write);

const lstat: (path: string) => Promise<fs.Stats> = promisify(fs.lstat);
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;

/**
 * How many FIFOs may be written by a thread of the pool, which has four. A thread writes two to three times as fast as the
 * event loop, which wakes for each 64 KiB; but it blocks while the reader does not read. With one thread for FIFOs, readers
 * that do not read cannot block the pool.
 */
const THREADS = 2;
let threadsInUse = 0;

/** Node cannot make a FIFO; `mkfifo` is part of coreutils and of busybox. */
export async function makeFifo(path: string, permissions = 0o600): Promise<void> {
  const complaint: Uint8Array[] = [];
  const mkfifo = await startProcess({
    command: "mkfifo",
    args: ["-m", permissions.toString(8).padStart(4, "0"), "--", path],
    environment: { LC_ALL: "C" },
    onStderr: (data) => complaint.push(data),
  });
  const exit = await mkfifo.exit;
  if ("code" in exit && exit.code === 0) return;
  // The program has no exit codes of its own, so its message is parsed.
  const taken = await lstat(path).then(
    () => true,
    () => false,
  );
  const said = Buffer.concat(complaint).toString("utf8").trim();
  throw new SystemError(taken ? "EEXIST" : "EIO", `cannot make the FIFO ${path}: ${said}`);
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
  readonly #path: string;
  readonly #descriptor: number;
  #writing: Promise<void> | undefined;
  #failure: SystemError | undefined;
  #closed = false;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  async write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
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
    await translated(close(this.#descriptor));
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
    const drain = await translated(open(this.#path, O_RDONLY | O_NONBLOCK));
    try {
      const waste = Buffer.allocUnsafe(64 * 1024);
      while (!released) {
        takeWhatIsThere(drain, waste);
        await nextTurn();
      }
    } finally {
      await translated(close(drain));
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

/** Open a FIFO that has a reader, for blocking writes. The open does not block, even if the reader closes it now. */
async function openWaiting(path: string): Promise<number> {
  const reader = await translated(open(path, O_RDONLY | O_NONBLOCK));
  try {
    return await translated(open(path, O_WRONLY));
  } finally {
    await translated(close(reader));
  }
}

/** Reserves the thread before the first await, because other calls reserve concurrently. */
async function openForThread(path: string, descriptor: number): Promise<FifoWriter> {
  threadsInUse += 1;
  let waiting: number;
  try {
    waiting = await openWaiting(path);
  } catch (error) {
    threadsInUse -= 1;
    throw error;
  }
  await translated(close(descriptor));
  return new ThreadFifoWriter(path, waiting);
}

export async function openFifo(path: string): Promise<FifoWriter | undefined> {
  let descriptor: number;
  try {
    descriptor = await translated(open(path, O_WRONLY | O_NONBLOCK));
  } catch (error) {
    if (isSystemError(error, "ENXIO")) return undefined;
    throw error;
  }
  try {
    if (!(await translated(fstat(descriptor))).isFIFO()) throw new SystemError("EINVAL", `${path} is not a FIFO`);
    if (threadsInUse < THREADS) return await openForThread(path, descriptor);
  } catch (error) {
    await translated(close(descriptor));
    throw error;
  }
  return new LoopFifoWriter(descriptor);
}
