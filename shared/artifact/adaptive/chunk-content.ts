import { hash } from "node:crypto";
import { TURN_BYTES } from "../compression/turns.ts";
import { ZstdDecoder } from "../compression/zstd-decoder.ts";
import { ArtifactError } from "../errors.ts";
import { type ChunkTable, HASH_BYTES } from "./chunk-index.ts";

/** The first bytes of the SHA-256 of a chunk's content, which are its name. */
export function chunkHash(content: Uint8Array): Uint8Array {
  return hash("sha256", content, "buffer").subarray(0, HASH_BYTES);
}

/** True if `content` is what the index says that the chunk is. */
export function isChunk(chunks: Pick<ChunkTable, "lengths" | "hashes">, chunk: number, content: Uint8Array): boolean {
  if (content.length !== chunks.lengths[chunk]) return false;
  const start = chunk * HASH_BYTES;
  return Buffer.compare(chunkHash(content), chunks.hashes.subarray(start, start + HASH_BYTES)) === 0;
}

/** Decompresses chunks, one zstd frame each. It holds the memory of one decoder, which all chunks use in turn. */
export class ChunkDecoder {
  #decoder: ZstdDecoder | undefined;

  /**
   * Fills `content` with a chunk's content.
   * @param stored The chunk as it lies in the file of chunks; as long as the content if it is not compressed.
   * @param content As long as the index says that the content is.
   * @returns `content`.
   * @throws ArtifactError unless the result has exactly this length.
   */
  decode(stored: Uint8Array, content: Uint8Array): Uint8Array {
    const lengthBytes = content.length;
    if (stored.length === lengthBytes) {
      content.set(stored);
      return content;
    }
    if (frameBytes(stored) !== lengthBytes) {
      throw new ArtifactError("chunk-mismatch", `a chunk of ${lengthBytes} bytes is no zstd frame of this size`);
    }
    const decoder = this.#decoder ?? new ZstdDecoder("a chunk");
    // A decoder that has failed is not used again.
    this.#decoder = undefined;
    decodeFrame(decoder, stored, content);
    this.#decoder = decoder;
    return content;
  }
}

function decodeFrame(decoder: ZstdDecoder, stored: Uint8Array, content: Uint8Array): void {
  const lengthBytes = content.length;
  let filled = 0;
  for (let offset = 0; offset < stored.length; offset += TURN_BYTES) {
    // One frame only: a second one could ask for memory that the first one did not announce.
    if (offset > 0 && decoder.end()) throw surplus(lengthBytes);
    decoder.supply(stored.subarray(offset, offset + TURN_BYTES));
    for (let steps = 0; !decoder.wantsInput; steps += 1) {
      if (steps > 0 && decoder.end()) throw surplus(lengthBytes);
      const piece = decoder.step();
      if (piece.length > lengthBytes - filled) throw surplus(lengthBytes);
      content.set(piece, filled);
      filled += piece.length;
    }
  }
  if (decoder.end() && filled === lengthBytes) return;
  throw new ArtifactError("chunk-mismatch", `a chunk of ${lengthBytes} bytes ends after ${filled}`);
}

function surplus(lengthBytes: number): ArtifactError {
  return new ArtifactError("chunk-mismatch", `there are bytes behind a chunk of ${lengthBytes} bytes`);
}

/** Magic number, a header that states the size of the content and needs no dictionary (RFC 8878, 3.1.1). */
const MAGIC = 0xfd2fb528;
const SINGLE_SEGMENT = 0x20;
const NEEDS_DICTIONARY = 0x03;

/**
 * The size of the content that a frame states, which is its window too; `undefined` if it states none, or is no frame.
 * The decoder takes no more memory than this.
 */
function frameBytes(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.byteLength < 9 || view.getUint32(0, true) !== MAGIC) return undefined;
  const flags = view.getUint8(4);
  if ((flags & SINGLE_SEGMENT) === 0 || (flags & NEEDS_DICTIONARY) !== 0) return undefined;
  switch (flags >>> 6) {
    case 0:
      return view.getUint8(5);
    case 1:
      return view.getUint16(5, true) + 256;
    case 2:
      return view.getUint32(5, true);
    default:
      return undefined;
  }
}
