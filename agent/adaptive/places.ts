import type { ChunkPlaces, ChunkTable } from "@upkeep/shared/artifact/adaptive";

/** A file, a device or a volume that may hold chunks of the artifact. */
export interface Seed {
  /** Absolute. */
  readonly path: string;
  /** The update module writes the payload to it from its start: what it holds is good until it is overwritten. */
  readonly isTarget: boolean;
}

export interface Place {
  readonly seed: number;
  readonly offset: number;
}

const NOWHERE = -1;

/** Where the seeds have the chunks of an index: one place for each, and another one on the target. */
export class SeedPlaces implements ChunkPlaces {
  readonly #seeds: Uint16Array;
  readonly #offsets: Float64Array;
  readonly #targetOffsets: Float64Array;
  /** Where the payload begins in the flattened artifact. */
  readonly #payloadStart: number;
  #target: number | undefined;
  /** Chunks without a place. */
  missing: number;

  constructor({ count }: Pick<ChunkTable, "count">, payloadStart: number) {
    this.#seeds = new Uint16Array(count);
    this.#offsets = new Float64Array(count).fill(NOWHERE);
    this.#targetOffsets = new Float64Array(count).fill(NOWHERE);
    this.#payloadStart = payloadStart;
    this.missing = count;
  }

  /** A chunk was found at `offset` of a seed. */
  add(chunk: number, seed: number, offset: number, isTarget: boolean): void {
    const isNew = this.#offsets[chunk] === NOWHERE && this.#targetOffsets[chunk] === NOWHERE;
    if (isNew) this.missing -= 1;
    if (isTarget) {
      this.#target = seed;
      // The place that is overwritten last.
      this.#targetOffsets[chunk] = Math.max(this.#targetOffsets[chunk] ?? NOWHERE, offset);
    } else if (this.#offsets[chunk] === NOWHERE) {
      this.#seeds[chunk] = seed;
      this.#offsets[chunk] = offset;
    }
  }

  has(chunk: number, offset: number): boolean {
    return this.find(chunk, offset) !== undefined;
  }

  /** A place to copy `chunk` from when it is needed at `offset` of the flattened artifact. */
  find(chunk: number, offset: number): Place | undefined {
    // Nothing that lies ahead on the target, or at the same place, has been overwritten yet.
    const onTarget = this.#targetOffsets[chunk] ?? NOWHERE;
    if (this.#target !== undefined && onTarget !== NOWHERE && onTarget >= offset - this.#payloadStart) {
      return { seed: this.#target, offset: onTarget };
    }
    const elsewhere = this.#offsets[chunk] ?? NOWHERE;
    return elsewhere === NOWHERE ? undefined : { seed: this.#seeds[chunk] ?? 0, offset: elsewhere };
  }
}
