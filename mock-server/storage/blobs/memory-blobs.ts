import { SystemError } from "@upkeep/shared/system";
import type { Blob, Blobs, BlobWriter } from "./blobs.ts";

const READ_BYTES = 256 * 1024;

/** Blobs in memory: no file, no thread, and so always the same order. */
export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Buffer>();
  readonly #now: () => number;
  readonly #written = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  async create(name: string): Promise<BlobWriter> {
    if (this.#blobs.has(name)) throw new SystemError("EEXIST", `there is a blob ${name} already`);
    const chunks: Buffer[] = [];
    return {
      write: async (data) => {
        chunks.push(Buffer.from(data));
      },
      commit: async () => {
        this.#blobs.set(name, Buffer.concat(chunks));
        this.#written.set(name, this.#now());
      },
      discard: async () => undefined,
    };
  }

  async open(name: string): Promise<Blob | undefined> {
    const bytes = this.#blobs.get(name);
    if (bytes === undefined) return undefined;
    return {
      sizeBytes: bytes.length,
      read: async function* (start, end) {
        for (let from = start; from < end; from += READ_BYTES)
          yield bytes.subarray(from, Math.min(from + READ_BYTES, end));
      },
      close: async () => undefined,
    };
  }

  async remove(name: string): Promise<void> {
    this.#blobs.delete(name);
    this.#written.delete(name);
  }

  async names(): Promise<string[]> {
    return [...this.#blobs.keys()];
  }

  async writtenMs(name: string): Promise<number | undefined> {
    return this.#written.get(name);
  }
}
