import { ChunkDecoder, type ChunkIndex, isChunk, segmentsOf } from "@upkeep/shared/artifact/adaptive";
import { expect } from "vitest";
/** Bytes that do not compress, the same for the same seed (xorshift32). */
export function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed ^ 0x9e3779b9) | 1;
  for (let offset = 0; offset < length; offset += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[offset] = state >>> 11;
  }
  return bytes;
}

/**
 * What an index and its file of chunks give: the flattened artifact without its prefix. Each chunk is checked.
 * @param read The bytes from `start` up to `end` of the file of chunks.
 */
export async function rebuilt(
  index: ChunkIndex,
  read: (start: number, end: number) => Uint8Array | Promise<Uint8Array>,
): Promise<Buffer> {
  const decoder = new ChunkDecoder();
  const pieces: Uint8Array[] = [];
  for (const segment of segmentsOf(index)) {
    if (segment.kind === "literal") pieces.push(segment.bytes);
    else if (segment.kind === "zeros") pieces.push(Buffer.alloc(segment.lengthBytes));
    else {
      const start = index.chunks.storedOffsets[segment.chunk] ?? 0;
      const stored = await read(start, start + (index.chunks.storedLengths[segment.chunk] ?? 0));
      const content = decoder.decode(stored, new Uint8Array(segment.lengthBytes));
      expect(isChunk(index.chunks, segment.chunk, content)).toBe(true);
      pieces.push(Buffer.from(content));
    }
  }
  return Buffer.concat(pieces);
}
