import { ByteReader } from "../bytes.ts";
import { ArtifactError } from "../errors.ts";
import type { ArtifactContent, ReadOptions } from "../types.ts";
import { ChunkDecoder, isChunk } from "./chunk-content.ts";
import { type ChunkIndex, type Segment, segmentsOf } from "./chunk-index.ts";
import { flatten } from "./flatten.ts";

/** Pieces in which long stretches of zeros are compared. */
const PIECE_BYTES = 256 * 1024;

/**
 * Compares an index and its chunks with the artifact, byte by byte, as a device puts them together.
 * @param chunks The file of chunks, front to back.
 * @throws ArtifactError (chunk-mismatch, index-malformed) if they give anything else.
 */
export async function checkIndex(
  index: ChunkIndex,
  artifact: ArtifactContent,
  chunks: ArtifactContent,
  decompressors: ReadOptions["decompressors"] = {},
): Promise<void> {
  const flattened = new ByteReader(flatten(artifact, index.tarBytes, decompressors));
  const stored = new ByteReader(chunks);
  const decoder = new ChunkDecoder();
  let known = 0;
  try {
    await flattened.skip(index.prefixBytes);
    for (const segment of segmentsOf(index)) {
      if (segment.kind !== "chunk") {
        await compare(segment, flattened);
        continue;
      }
      const { chunk } = segment;
      const content = await flattened.upTo(segment.lengthBytes);
      if (!isChunk(index.chunks, chunk, content)) throw mismatch(segment);
      if (chunk < known) continue;
      known += 1;
      const bytes = await stored.upTo(index.chunks.storedLengths[chunk] ?? 0);
      const decoded = decoder.decode(bytes, new Uint8Array(segment.lengthBytes));
      if (Buffer.compare(decoded, content) !== 0) throw mismatch(segment);
    }
    if ((await flattened.some(1)) !== undefined || (await stored.some(1)) !== undefined) {
      throw new ArtifactError("chunk-mismatch", "there are more bytes than the index has");
    }
  } finally {
    await flattened.close();
    await stored.close();
  }
}

/** Compares a literal, or zeros. */
async function compare(segment: Exclude<Segment, { kind: "chunk" }>, flattened: ByteReader): Promise<void> {
  const zeros = Buffer.alloc(segment.kind === "zeros" ? Math.min(PIECE_BYTES, segment.lengthBytes) : 0);
  for (let offset = 0; offset < segment.lengthBytes; offset += PIECE_BYTES) {
    const count = Math.min(PIECE_BYTES, segment.lengthBytes - offset);
    const expected =
      segment.kind === "zeros" ? zeros.subarray(0, count) : segment.bytes.subarray(offset, offset + count);
    if (Buffer.compare(await flattened.upTo(count), expected) !== 0) throw mismatch(segment);
  }
}

function mismatch({ kind, offset }: Segment): ArtifactError {
  return new ArtifactError("chunk-mismatch", `at byte ${offset}, the index gives a ${kind} that the artifact has not`);
}
