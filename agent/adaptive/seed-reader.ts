import { type FileHandle, type Files, isSystemError } from "@upkeep/shared/system";
import type { Seed } from "./places.ts";

/** A directory as seed may have many files. */
const OPEN_MAX = 16;

/** Reads pieces of seeds. */
export class SeedReader {
  readonly #files: Files;
  readonly #seeds: readonly Seed[];
  /** The one that was used longest ago first. */
  readonly #open = new Map<number, FileHandle>();

  constructor(files: Files, seeds: readonly Seed[]) {
    this.#files = files;
    this.#seeds = seeds;
  }

  /** Fills `buffer` from `offset` of a seed. @returns False if the seed cannot give that, now. */
  async fill(seed: number, offset: number, buffer: Uint8Array): Promise<boolean> {
    try {
      const handle = await this.#handle(seed);
      for (let filled = 0; filled < buffer.length; ) {
        const count = await handle.read(buffer.subarray(filled), offset + filled);
        if (count === 0) return false;
        filled += count;
      }
      return true;
    } catch (error) {
      if (isSystemError(error)) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    for (const handle of handles) await handle.close();
  }

  async #handle(seed: number): Promise<FileHandle> {
    let handle = this.#open.get(seed);
    if (handle === undefined) {
      handle = await this.#files.open(this.#seeds[seed]?.path ?? "", "read");
      const [oldest] = this.#open.entries();
      if (oldest !== undefined && this.#open.size >= OPEN_MAX) {
        this.#open.delete(oldest[0]);
        await oldest[1].close();
      }
    } else this.#open.delete(seed);
    this.#open.set(seed, handle);
    return handle;
  }
}
