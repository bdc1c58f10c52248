import { HASH_BYTES, INDEX_MAGIC, SEGMENT_KINDS } from "./chunk-index.ts";
import { findZeroRun } from "./chunker.ts";

/** Zeros in a literal from this number on are written as their length. */
const LITERAL_ZEROS_MIN = 64;

/** What is known of an artifact once all of it was read. */
export interface IndexedArtifact {
  readonly artifactSha256: string;
  readonly artifactBytes: number;
  readonly prefixBytes: number;
  readonly tarBytes: readonly number[];
  readonly averageBytes: number;
}

/** A growing array of bytes. */
class Output {
  #bytes = new Uint8Array(1024);
  #length = 0;

  add(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#length + bytes.length));
      larger.set(this.bytes());
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** See `Fields.number` of chunk-index.ts. */
  number(value: number): void {
    const encoded: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) encoded.push((rest % 128) + 128);
    this.add(Uint8Array.from([...encoded, rest]));
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Segments in their encoded form. Neighbours of one kind are one segment. */
export class SegmentWriter {
  #output = new Output();
  /** Zeros, or chunks that are new, that may go on. */
  #pending: { readonly kind: number; count: number } = { kind: SEGMENT_KINDS.zeros, count: 0 };
  /** Chunks used so far. */
  #used = 0;

  literal(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      const run = findZeroRun(bytes, from, LITERAL_ZEROS_MIN) ?? { start: bytes.length, end: bytes.length };
      if (run.start > from) {
        this.#flush();
        this.#code(SEGMENT_KINDS.literal, run.start - from);
        this.#output.add(bytes.subarray(from, run.start));
      }
      this.zeros(run.end - run.start);
      from = run.end;
    }
  }

  zeros(count: number): void {
    this.#extend(SEGMENT_KINDS.zeros, count);
  }

  /** @param chunk The number of a chunk that was used, or the next one. */
  chunk(chunk: number): void {
    if (chunk > this.#used) throw new RangeError(`chunk ${chunk} is used before chunk ${this.#used}`);
    if (chunk === this.#used) {
      this.#extend(SEGMENT_KINDS.fresh, 1);
      this.#used += 1;
      return;
    }
    this.#flush();
    this.#code(SEGMENT_KINDS.again, this.#used - chunk);
  }

  /** The segments since the last call. What was taken may be put together in another order, except for chunks. */
  take(): Uint8Array {
    this.#flush();
    const bytes = this.#output.bytes();
    this.#output = new Output();
    return bytes;
  }

  #extend(kind: number, count: number): void {
    if (this.#pending.kind !== kind) {
      this.#flush();
      this.#pending = { kind, count };
    } else this.#pending.count += count;
  }

  #flush(): void {
    if (this.#pending.count > 0) this.#code(this.#pending.kind, this.#pending.count);
    this.#pending.count = 0;
  }

  #code(kind: number, value: number): void {
    this.#output.number(value * 4 + kind);
  }
}

/** The unique chunks of an artifact, in the order of their first use. */
export interface ChunkColumns {
  /** {@link HASH_BYTES} per chunk. */
  readonly hashes: Uint8Array;
  readonly lengths: ArrayLike<number>;
  readonly storedLengths: ArrayLike<number>;
}

/** The index as a file; `decodeChunkIndex` reads it. */
export function encodeChunkIndex(artifact: IndexedArtifact, chunks: ChunkColumns, segments: Uint8Array): Uint8Array {
  const output = new Output();
  output.add(INDEX_MAGIC);
  output.add(Buffer.from(artifact.artifactSha256, "hex"));
  output.number(artifact.artifactBytes);
  output.number(artifact.prefixBytes);
  output.number(artifact.tarBytes.length);
  for (const bytes of artifact.tarBytes) output.number(bytes);
  output.number(artifact.averageBytes);
  output.number(chunks.hashes.length / HASH_BYTES);
  output.add(chunks.hashes);
  for (const length of Array.from(chunks.lengths)) output.number(length);
  for (const length of Array.from(chunks.storedLengths)) output.number(length);
  output.add(segments);
  return output.bytes();
}
