import { ArtifactError } from "../errors.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { BLOCK_BYTES } from "../tar/header.ts";
import { AVERAGE_BYTES_MAX, AVERAGE_BYTES_MIN, chunkSizes } from "./chunker.ts";

/** Bounds on an index. What is held in memory is bounded by the size of the index itself. */
export const INDEX_LIMITS = {
  indexBytesMax: 16 * 1024 * 1024,
  /** Of the artifact once it is flattened: 1 TiB. */
  flattenedBytesMax: 2 ** 40,
} as const;

/** The first bytes of an index; the last one is the version of the format. */
export const INDEX_MAGIC = Buffer.from("UPKINDX1", "latin1");

/** A chunk's hash: the first 16 bytes of the SHA-256 of its content. */
export const HASH_BYTES = 16;

/**
 * The kinds of segments, in the two lowest bits of the number that a segment begins with. The other bits are the length
 * of a literal or of zeros, the number of chunks that are used for the first time, or for a chunk that was used before,
 * how far back it lies in the order of first uses.
 */
export const SEGMENT_KINDS = { literal: 0, zeros: 1, fresh: 2, again: 3 } as const;

/** A stretch of the flattened artifact behind its prefix. `offset` is its place in the flattened artifact. */
export type Segment =
  | { readonly kind: "literal"; readonly offset: number; readonly lengthBytes: number; readonly bytes: Uint8Array }
  | { readonly kind: "zeros"; readonly offset: number; readonly lengthBytes: number }
  | { readonly kind: "chunk"; readonly offset: number; readonly lengthBytes: number; readonly chunk: number };

/** The unique chunks, in the order of their first use, which is their order in the file of chunks too. */
export interface ChunkTable {
  readonly count: number;
  /** {@link HASH_BYTES} per chunk. */
  readonly hashes: Uint8Array;
  readonly lengths: Uint32Array;
  /** Compressed lengths; one that equals the chunk's length means that the chunk is stored as it is. */
  readonly storedLengths: Uint32Array;
  /** Offsets in the file of chunks. */
  readonly storedOffsets: Float64Array;
  /** Size of the file of chunks. */
  readonly storedBytes: number;
}

/** What an artifact consists of once it is flattened. Decoded and checked; see flatten.ts. */
export interface ChunkIndex {
  /** Of the artifact that was indexed: 64 lower-case hexadecimal digits. */
  readonly artifactSha256: string;
  readonly artifactBytes: number;
  /** The flattened artifact begins with as many bytes of the artifact itself. */
  readonly prefixBytes: number;
  /** Sizes of the payloads' tars, uncompressed, in their order. */
  readonly tarBytes: readonly number[];
  readonly flattenedBytes: number;
  /** See `chunkSizes`. */
  readonly averageBytes: number;
  readonly chunks: ChunkTable;
  /** What follows the prefix, encoded: see {@link segmentsOf}. */
  readonly segments: Uint8Array;
}

/** Size of the flattened artifact. */
export function flattenedBytes(prefixBytes: number, tarBytes: readonly number[]): number {
  const tars = tarBytes.map((bytes) => BLOCK_BYTES + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES);
  return tars.reduce((sum, bytes) => sum + bytes, prefixBytes) + 2 * BLOCK_BYTES;
}

/** The segments behind the prefix, in order and without gaps. */
export function* segmentsOf(
  index: Pick<ChunkIndex, "prefixBytes" | "segments"> & { readonly chunks: Pick<ChunkTable, "count" | "lengths"> },
): Generator<Segment> {
  const fields = new Fields(index.segments);
  const { count, lengths } = index.chunks;
  let offset = index.prefixBytes;
  let used = 0;
  const chunkAt = (chunk: number): Segment => {
    const segment: Segment = { kind: "chunk", offset, lengthBytes: lengths[chunk] ?? 0, chunk };
    offset += segment.lengthBytes;
    return segment;
  };
  while (!fields.ended) {
    const code = fields.number("segment");
    const kind = code % 4;
    const value = Math.floor(code / 4);
    if (value === 0) throw malformed("a segment is empty");
    if (kind === SEGMENT_KINDS.literal) {
      const bytes = fields.bytes(value, "literal");
      yield { kind: "literal", offset, lengthBytes: value, bytes };
      offset += value;
    } else if (kind === SEGMENT_KINDS.zeros) {
      yield { kind: "zeros", offset, lengthBytes: value };
      offset += value;
    } else if (kind === SEGMENT_KINDS.fresh) {
      if (value > count - used) throw malformed(`segments use ${used + value} chunks, but there are ${count}`);
      for (const end = used + value; used < end; used += 1) yield chunkAt(used);
    } else {
      if (value > used) throw malformed(`a segment refers to the chunk ${value} back of ${used}`);
      yield chunkAt(used - value);
    }
  }
  if (used !== count) throw malformed(`segments use ${used} chunks, but there are ${count}`);
}

/**
 * Decodes an index and checks all of it: every later step may rely on its sums and references. The result shares the
 * memory of `bytes`.
 * @throws ArtifactError (index-malformed) that names the field.
 */
export function decodeChunkIndex(bytes: Uint8Array): ChunkIndex {
  if (bytes.length > INDEX_LIMITS.indexBytesMax) {
    throw malformed(`it takes ${bytes.length} bytes, the limit is ${INDEX_LIMITS.indexBytesMax}`);
  }
  const fields = new Fields(bytes);
  if (INDEX_MAGIC.compare(fields.bytes(INDEX_MAGIC.length, "magic")) !== 0) {
    throw malformed("it does not begin like an index of this version");
  }
  const artifactSha256 = Buffer.from(fields.bytes(32, "artifact's SHA-256")).toString("hex");
  const artifactBytes = fields.number("artifact's size");
  const prefixBytes = fields.number("size of the prefix");
  if (prefixBytes % BLOCK_BYTES !== 0 || prefixBytes > artifactBytes) {
    throw malformed(`the prefix of ${prefixBytes} bytes is no beginning of an artifact of ${artifactBytes}`);
  }
  const tarBytes = decodeTars(fields);
  const averageBytes = fields.number("average size of a chunk");
  if (
    averageBytes < AVERAGE_BYTES_MIN ||
    averageBytes > AVERAGE_BYTES_MAX ||
    !Number.isInteger(Math.log2(averageBytes))
  ) {
    throw malformed(`the average size of a chunk is ${averageBytes}`);
  }
  const chunks = decodeChunks(fields, chunkSizes(averageBytes).maxBytes);
  const index: ChunkIndex = {
    artifactSha256,
    artifactBytes,
    prefixBytes,
    tarBytes,
    flattenedBytes: flattenedBytes(prefixBytes, tarBytes),
    averageBytes,
    chunks,
    segments: fields.rest(),
  };
  checkSegments(index);
  return index;
}

function decodeTars(fields: Fields): number[] {
  const count = fields.number("number of tars");
  if (count === 0 || count > ARTIFACT_LIMITS.payloadsMax) throw malformed(`it has ${count} tars`);
  const tarBytes: number[] = [];
  for (let tar = 0; tar < count; tar += 1) {
    tarBytes.push(fields.number("size of a tar", INDEX_LIMITS.flattenedBytesMax));
  }
  return tarBytes;
}

function decodeChunks(fields: Fields, maxBytes: number): ChunkTable {
  const count = fields.number("number of chunks");
  // The columns are checked to be there before memory is taken for them.
  if (count * (HASH_BYTES + 2) > fields.left) throw malformed(`there is no room in it for ${count} chunks`);
  const hashes = fields.bytes(count * HASH_BYTES, "column of hashes");
  const lengths = new Uint32Array(count);
  for (let chunk = 0; chunk < count; chunk += 1) {
    const length = fields.number("length of a chunk", maxBytes);
    if (length === 0) throw malformed(`the chunk ${chunk} is empty`);
    lengths[chunk] = length;
  }
  const storedLengths = new Uint32Array(count);
  const storedOffsets = new Float64Array(count);
  let storedBytes = 0;
  for (let chunk = 0; chunk < count; chunk += 1) {
    const stored = fields.number("compressed length of a chunk", lengths[chunk]);
    if (stored === 0) throw malformed(`the chunk ${chunk} is stored in no bytes`);
    storedLengths[chunk] = stored;
    storedOffsets[chunk] = storedBytes;
    storedBytes += stored;
  }
  return { count, hashes, lengths, storedLengths, storedOffsets, storedBytes };
}

function checkSegments(index: ChunkIndex): void {
  if (index.flattenedBytes > INDEX_LIMITS.flattenedBytesMax) {
    throw malformed(`the artifact takes ${index.flattenedBytes} bytes, the limit is ${INDEX_LIMITS.flattenedBytesMax}`);
  }
  let end = index.prefixBytes;
  for (const { offset, lengthBytes } of segmentsOf(index)) {
    end = offset + lengthBytes;
    if (end > index.flattenedBytes) break;
  }
  if (end !== index.flattenedBytes) {
    throw malformed(`its segments do not give the ${index.flattenedBytes} bytes that its sizes give`);
  }
}

/** The error for an index that breaks a rule. */
function malformed(detail: string): ArtifactError {
  return new ArtifactError("index-malformed", `chunk index: ${detail}`);
}

/** The fields of an index, front to back. */
class Fields {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  get ended(): boolean {
    return this.left === 0;
  }

  bytes(count: number, what: string): Uint8Array {
    if (count > this.left) throw malformed(`it ends within the ${what}`);
    this.#position += count;
    return this.#bytes.subarray(this.#position - count, this.#position);
  }

  rest(): Uint8Array {
    return this.bytes(this.left, "segments");
  }

  /** Seven bits a byte, the lowest first; all bytes but the last have the highest bit set. */
  number(what: string, max = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) throw malformed(`it ends within the ${what}`);
      this.#position += 1;
      value += (byte & 0x7f) * scale;
      if (value > max) throw malformed(`the ${what} is more than ${max}`);
      if (byte < 0x80) return value;
      if (scale > max) throw malformed(`the ${what} takes too many bytes`);
    }
  }
}
