import { type ChunkIndex, type ChunkTable, segmentsOf } from "./chunk-index.ts";
import { KeptChunks } from "./kept-chunks.ts";

/** Missing chunks with at most this many bytes between them are fetched with one request. */
const GAP_BYTES_MAX = 2 * 1024;
/** Several ranges are fetched ahead: that is what an interruption costs, and what they take in memory. */
const RANGE_BYTES_MAX = 256 * 1024;
/** What all gaps together may add to the bytes that are needed. */
const GAPS_SHARE_MAX = 0.03;
const GAPS_BYTES_FREE = 4 * 1024;
/** What a request costs beside its range: headers both ways, and TLS records. */
export const REQUEST_BYTES = 800;
/** Requests beside those for chunks: the prefix and the index. */
const OTHER_REQUESTS = 2;
/** The share of the plain download that an adaptive one must save. */
const SAVED_SHARE_MIN = 0.1;

/** Where a device has chunks of an index. */
export interface ChunkPlaces {
  /** True if the use of `chunk` at `offset` of the flattened artifact can be copied from the device. */
  has(chunk: number, offset: number): boolean;
}

/** A part of the file of chunks. */
export interface StoredRange {
  readonly start: number;
  readonly end: number;
}

export interface DownloadPlan {
  /** What to fetch, in the order in which it is needed. */
  readonly ranges: readonly StoredRange[];
  /** Uses of chunks, in order: true if it is in the next range, or still in the last one. */
  isFetched(use: number): boolean;
  /** How often each chunk is used. */
  readonly uses: Uint32Array;
  /** Uncompressed bytes that the device has. */
  readonly reusedBytes: number;
  /** What the adaptive download costs, requests included. */
  readonly costBytes: number;
}

/** Decides what an adaptive download fetches. */
export function planDownload(index: ChunkIndex, indexBytes: number, places: ChunkPlaces): DownloadPlan {
  const { chunks } = index;
  const uses = countUses(index);
  const fetched = new Uint8Array(Math.ceil(uses.total / 8));
  const kept = new KeptChunks<true>(uses.perChunk, chunks.lengths);
  const merging = new Merging(chunks);
  let use = 0;
  let reusedBytes = 0;
  for (const segment of segmentsOf(index)) {
    if (segment.kind !== "chunk") continue;
    const { chunk, offset, lengthBytes } = segment;
    const isKept = kept.get(chunk) !== undefined;
    const isLocal = !isKept && places.has(chunk, offset);
    if (isLocal) reusedBytes += lengthBytes;
    else if (!isKept) {
      fetched[use >> 3] = (fetched[use >> 3] ?? 0) | (1 << (use & 7));
      merging.add(chunk);
    }
    kept.used(chunk, isLocal ? undefined : () => true);
    use += 1;
  }
  const { ranges, bytes } = merging;
  return {
    ranges,
    isFetched: (number) => ((fetched[number >> 3] ?? 0) & (1 << (number & 7))) !== 0,
    uses: uses.perChunk,
    reusedBytes,
    costBytes: indexBytes + index.prefixBytes + bytes + REQUEST_BYTES * (ranges.length + OTHER_REQUESTS),
  };
}

/** True if an adaptive download that costs `costBytes` saves enough of a plain one. */
export function pays(costBytes: number, plainBytes: number): boolean {
  return costBytes <= plainBytes * (1 - SAVED_SHARE_MIN);
}

function countUses(index: ChunkIndex): { readonly perChunk: Uint32Array; readonly total: number } {
  const perChunk = new Uint32Array(index.chunks.count);
  let total = 0;
  for (const segment of segmentsOf(index)) {
    if (segment.kind !== "chunk") continue;
    perChunk[segment.chunk] = (perChunk[segment.chunk] ?? 0) + 1;
    total += 1;
  }
  return { perChunk, total };
}

/** The ranges of the file of chunks that hold `missing`, in this order. */
export function rangesOf(chunks: ChunkTable, missing: Iterable<number>): readonly StoredRange[] {
  const merging = new Merging(chunks);
  for (const chunk of missing) merging.add(chunk);
  return merging.ranges;
}

/** Merges chunks that lie near each other into ranges. */
class Merging {
  readonly #chunks: ChunkTable;
  readonly #ranges: { start: number; end: number }[] = [];
  #neededBytes = 0;
  #gapBytes = 0;

  constructor(chunks: ChunkTable) {
    this.#chunks = chunks;
  }

  add(chunk: number): void {
    const start = this.#chunks.storedOffsets[chunk] ?? 0;
    const length = this.#chunks.storedLengths[chunk] ?? 0;
    const last = this.#ranges.at(-1);
    if (last !== undefined && start >= last.start && start + length <= last.end) return;
    this.#neededBytes += length;
    if (last !== undefined && this.#isNear(last, start, start + length)) {
      this.#gapBytes += start - last.end;
      last.end = start + length;
    } else this.#ranges.push({ start, end: start + length });
  }

  #isNear(last: StoredRange, start: number, end: number): boolean {
    const gap = start - last.end;
    if (gap < 0 || gap > GAP_BYTES_MAX || end - last.start > RANGE_BYTES_MAX) return false;
    return this.#gapBytes + gap <= GAPS_BYTES_FREE + this.#neededBytes * GAPS_SHARE_MAX;
  }

  get ranges(): readonly StoredRange[] {
    return this.#ranges;
  }

  /** What all ranges take. */
  get bytes(): number {
    return this.#neededBytes + this.#gapBytes;
  }
}
