import { BLOCK_BYTES } from "../tar/header.ts";
import { TarReader } from "../tar/reader.ts";
import type { ArtifactContent } from "../types.ts";
import { type ChunkIndex, type Segment, segmentsOf } from "./chunk-index.ts";

/** Long runs of zeros are content, which is skipped. */
const PIECE_BYTES = 4096;

/** A file of the first payload, as the headers in the index say. */
export interface IndexedFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Where its content begins in the flattened artifact. */
  readonly offset: number;
}

/**
 * The files of the first payload, in order. The index alone says so: their contents are not verified yet.
 * @throws ArtifactError
 */
export async function* filesInIndex(index: ChunkIndex): AsyncGenerator<IndexedFile> {
  const start = index.prefixBytes + BLOCK_BYTES;
  const tar = new TarReader(headersOf(index, start), "chunk index", true);
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
    yield { name: entry.name, sizeBytes: entry.sizeBytes, offset: start + tar.position };
    await entry.skip(entry.sizeBytes);
  }
}

/** The chunks of a file, in order; `undefined` if it has anything else, such as a long run of zeros. */
export function chunksOfFile(index: ChunkIndex, { offset, sizeBytes }: IndexedFile): readonly number[] | undefined {
  const chunks: number[] = [];
  let position = offset;
  for (const segment of segmentsOf(index)) {
    if (segment.offset < position) continue;
    if (position >= offset + sizeBytes) break;
    if (segment.kind !== "chunk" || segment.offset !== position) return undefined;
    chunks.push(segment.chunk);
    position += segment.lengthBytes;
  }
  return position === offset + sizeBytes ? chunks : undefined;
}

/** The first payload's tar from `start` on, in which only headers and paddings can be read; contents can be skipped. */
function headersOf(index: ChunkIndex, start: number): ArtifactContent {
  const end = start + (index.tarBytes[0] ?? 0);
  const segments = segmentsOf(index);
  let position = start;
  let current: Segment | undefined;
  const seek = (): Segment | undefined => {
    while (current === undefined || current.offset + current.lengthBytes <= position) {
      const next = segments.next();
      if (next.done === true) return undefined;
      current = next.value;
    }
    return current;
  };
  return {
    async *[Symbol.asyncIterator]() {
      for (let segment = seek(); segment !== undefined && position < end; segment = seek()) {
        if (segment.kind === "chunk") return;
        const from = position - segment.offset;
        const length = Math.min(segment.lengthBytes - from, PIECE_BYTES);
        position += length;
        // Headers have zeros too.
        yield segment.kind === "literal" ? segment.bytes.subarray(from, from + length) : new Uint8Array(length);
      }
    },
    skip: async (bytes) => {
      position += bytes;
    },
  };
}
