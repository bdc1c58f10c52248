import * as fs from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { type FifoWriter, isSystemError, SystemError } from "@upkeep/shared/system";
import { asSystemError, translated } from "./errors.ts";
import { startProcess } from "./processes.ts";

const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const close = promisify(fs.close);

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
  // The program tells only in words what went wrong.
  const taken = await fs.promises.lstat(path).then(
    () => true,
    () => false,
  );
  const said = Buffer.concat(complaint).toString("utf8").trim();
  throw new SystemError(taken ? "EEXIST" : "EIO", `cannot make the FIFO ${path}: ${said}`);
}

/**
 * The descriptor is given to the event loop as a pipe: writes wait in epoll, not in a thread of the
 * pool, so that any number of FIFOs that nobody reads stop nothing else.
 */
class LinuxFifoWriter implements FifoWriter {
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

  write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#socket.write(data, (error) => {
        signal?.removeEventListener("abort", onAbort);
        if (error) reject(asSystemError(error));
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    // Not `end`: it would shut the descriptor down as a socket, which a FIFO is not.
    this.#socket.destroy();
    await this.#closed;
  }
}

export async function openFifo(path: string): Promise<FifoWriter | undefined> {
  let descriptor: number;
  try {
    descriptor = await translated(open(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
  } catch (error) {
    if (isSystemError(error, "ENXIO")) return undefined;
    throw error;
  }
  if (!(await translated(fstat(descriptor))).isFIFO()) {
    await translated(close(descriptor));
    throw new SystemError("EINVAL", `${path} is not a FIFO`);
  }
  return new LinuxFifoWriter(descriptor);
}
