import { SystemError } from "@upkeep/shared/system";
import type { Blob, Blobs, BlobWriter } from "../../../storage/blobs/index.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Artifacts of zeros: all downloads share this one chunk. */
export class BlankBlobs implements Blobs {
  readonly #sizeBytes: number;
  readonly #chunk: Buffer;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#chunk = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes));
  }

  async open(): Promise<Blob> {
    const chunk = this.#chunk;
    return {
      sizeBytes: this.#sizeBytes,
      read: async function* (start, end) {
        for (let from = start; from < end; from += chunk.length)
          yield chunk.subarray(0, Math.min(end - from, chunk.length));
      },
      close: async () => undefined,
    };
  }

  create(): Promise<BlobWriter> {
    return Promise.reject(new SystemError("EROFS", "the artifacts of a simulated fleet are made up"));
  }

  async remove(): Promise<void> {
    await this.create();
  }

  async names(): Promise<string[]> {
    return [];
  }

  async writtenMs(): Promise<undefined> {
    return undefined;
  }
}
