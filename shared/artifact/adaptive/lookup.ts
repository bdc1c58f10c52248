import { type ChunkTable, HASH_BYTES } from "./chunk-index.ts";

/** How far a chunk may lie from its slot. Bounds the work that chunks with alike hashes can cause. */
const PROBES_MAX = 64;

/** Finds chunks of an index by their hashes. It takes 8 to 16 bytes a chunk. */
export class ChunkLookup {
  readonly #hashes: Buffer;
  /** Numbers of chunks, plus 1; 0: empty. */
  readonly #slots: Uint32Array;

  constructor({ count, hashes }: Pick<ChunkTable, "count" | "hashes">) {
    this.#hashes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2 * count, 2))));
    for (let chunk = 0; chunk < count; chunk += 1) this.#add(chunk);
  }

  /** @returns -1 if no chunk has this hash. */
  find(hash: Uint8Array): number {
    const wanted = Buffer.from(hash.buffer, hash.byteOffset, HASH_BYTES);
    const first = wanted.readUInt32LE(0);
    for (let probe = 0; probe < PROBES_MAX; probe += 1) {
      const entry = this.#slots[(first + probe) & (this.#slots.length - 1)] ?? 0;
      if (entry === 0) return -1;
      const start = (entry - 1) * HASH_BYTES;
      if (this.#hashes.compare(wanted, 0, HASH_BYTES, start, start + HASH_BYTES) === 0) return entry - 1;
    }
    return -1;
  }

  /** A chunk that finds no slot is not found on the device later, and fetched. */
  #add(chunk: number): void {
    const first = this.#hashes.readUInt32LE(chunk * HASH_BYTES);
    for (let probe = 0; probe < PROBES_MAX; probe += 1) {
      const slot = (first + probe) & (this.#slots.length - 1);
      if (this.#slots[slot] !== 0) continue;
      this.#slots[slot] = chunk + 1;
      return;
    }
  }
}
