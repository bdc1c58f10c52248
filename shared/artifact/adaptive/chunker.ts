import { createHash } from "node:crypto";

/** A stretch of at least this many zero bytes is a zero run: it is no chunk, and costs nothing to transfer. */
export const ZERO_RUN_BYTES_MIN = 4096;

/** Average chunk sizes are powers of two between these. */
export const AVERAGE_BYTES_MIN = 8 * 1024;
export const AVERAGE_BYTES_MAX = 64 * 1024;

/** About how many chunks a payload has at most, so that the memory for its index does not grow with it. */
const CHUNKS_MAX = 196_608;

/** How a stream is cut. The same sizes and the same bytes give the same chunks. */
export interface ChunkSizes {
  readonly minBytes: number;
  readonly averageBytes: number;
  readonly maxBytes: number;
}

export function chunkSizes(averageBytes: number): ChunkSizes {
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 8 };
}

/** The average for payload files of `totalBytes`: 8 KiB up to 1.5 GiB, 16 KiB up to 3 GiB, and so on. */
export function averageFor(totalBytes: number): number {
  let average = AVERAGE_BYTES_MIN;
  while (average < AVERAGE_BYTES_MAX && totalBytes > average * CHUNKS_MAX) average *= 2;
  return average;
}

/** A chunk's bytes, valid until the cutter is used again, or the length of a zero run. */
export type Cut = { readonly content: Uint8Array } | { readonly zeroBytes: number };

/**
 * The gear table: entry `i` is the first 32 bits, big endian, of the SHA-256 of the single byte `i`. It is part of the
 * format: another table gives other chunks. The numbers are signed here, as V8 makes an object of one above 2 ** 31.
 */
const GEAR = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash("sha256").update(Uint8Array.of(byte)).digest().readInt32BE(0),
);

/** Bytes that are cut in one go, beyond the lookahead. */
const WINDOW_BYTES = 512 * 1024;

const ZEROS = Buffer.alloc(64 * 1024);

/** Where the zeros that begin at `from` end. */
function endOfZeros(bytes: Uint8Array, from: number): number {
  let end = from;
  // Block by block, as most runs are long and a comparison of blocks is native.
  for (; end + ZEROS.length <= bytes.length; end += ZEROS.length) {
    if (ZEROS.compare(bytes, end, end + ZEROS.length) !== 0) break;
  }
  while (end < bytes.length && bytes[end] === 0) end += 1;
  return end;
}

/**
 * The first run of at least `minBytes` zeros that begins in `bytes` at `from` or later: its start, and where it ends in
 * `bytes`. It looks at one byte in `minBytes` where there are no zeros.
 */
export function findZeroRun(
  bytes: Uint8Array,
  from: number,
  minBytes: number,
): { readonly start: number; readonly end: number } | undefined {
  for (let probe = from + minBytes - 1; probe < bytes.length; probe += minBytes) {
    if (bytes[probe] !== 0) continue;
    let start = probe;
    while (start > from && bytes[start - 1] === 0) start -= 1;
    const end = endOfZeros(bytes, probe);
    if (end - start >= minBytes) return { start, end };
    // The next run begins behind the byte that ended this one.
    probe = end;
  }
  return undefined;
}

/**
 * Number of bytes of the chunk that begins at `start`, where `end` is the end of what may belong to it. The agent has V8
 * optimize this function, by its name, and no other one.
 */
function chunkLength(bytes: Uint8Array, start: number, end: number, sizes: ChunkSizes): number {
  const limit = Math.min(end, start + sizes.maxBytes);
  let position = start + sizes.minBytes;
  if (position >= limit) return limit - start;
  const bits = Math.log2(sizes.averageBytes);
  // Normalised: a cut is four times rarer than the average below the average size, and four times as frequent above it.
  // The top bits depend on the most bytes.
  const rare = 32 - (bits + 2);
  const frequent = 32 - (bits - 2);
  const average = Math.min(limit, start + sizes.averageBytes);
  let hash = 0;
  for (; position < average; position += 1) {
    hash = ((hash << 1) + (GEAR[bytes[position] ?? 0] ?? 0)) | 0;
    if (hash >>> rare === 0) return position + 1 - start;
  }
  for (; position < limit; position += 1) {
    hash = ((hash << 1) + (GEAR[bytes[position] ?? 0] ?? 0)) | 0;
    if (hash >>> frequent === 0) return position + 1 - start;
  }
  return limit - start;
}

/**
 * Cuts a stream into chunks at places that its content decides: bytes that are inserted or removed change the chunks
 * around them only. How the stream is divided into calls of `push` does not matter.
 */
export class Cutter {
  readonly #sizes: ChunkSizes;
  /** What must lie ahead of a chunk's start before the chunk is cut: a zero run may begin at its last byte. */
  readonly #lookahead: number;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** Bytes of a zero run that may go on. */
  #zeroBytes = 0;

  constructor(sizes: ChunkSizes) {
    this.#sizes = sizes;
    this.#lookahead = sizes.maxBytes + ZERO_RUN_BYTES_MIN;
    this.#buffer = new Uint8Array(this.#lookahead + WINDOW_BYTES);
  }

  /** Adds bytes, and yields the chunks that are now complete. Iterate to the end. */
  *push(bytes: Uint8Array): Generator<Cut> {
    for (let offset = 0; offset < bytes.length; ) {
      const room = this.#buffer.length - this.#end;
      const taken = bytes.subarray(offset, offset + room);
      this.#buffer.set(taken, this.#end);
      this.#end += taken.length;
      offset += taken.length;
      if (this.#end === this.#buffer.length) yield* this.#cut(this.#lookahead);
    }
  }

  /** Yields the rest, and starts anew. */
  *end(): Generator<Cut> {
    yield* this.#cut(1);
    if (this.#zeroBytes > 0) yield { zeroBytes: this.#zeroBytes };
    this.#zeroBytes = 0;
  }

  /** Cuts as long as `needed` bytes lie ahead, and moves the rest to the start of the buffer. */
  *#cut(needed: number): Generator<Cut> {
    const held = this.#buffer.subarray(0, this.#end);
    let run = findZeroRun(held, this.#start, ZERO_RUN_BYTES_MIN);
    while (this.#end - this.#start >= needed) {
      if (this.#zeroBytes > 0 && held[this.#start] === 0) {
        run = { start: this.#start, end: endOfZeros(held, this.#start) };
      }
      if (run !== undefined && run.start === this.#start) {
        this.#zeroBytes += run.end - run.start;
        this.#start = run.end;
        run = findZeroRun(held, this.#start, ZERO_RUN_BYTES_MIN);
        continue;
      }
      if (this.#zeroBytes > 0) {
        yield { zeroBytes: this.#zeroBytes };
        this.#zeroBytes = 0;
      }
      const length = chunkLength(held, this.#start, run?.start ?? this.#end, this.#sizes);
      yield { content: held.subarray(this.#start, this.#start + length) };
      this.#start += length;
    }
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }
}
