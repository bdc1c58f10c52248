import { ByteReader } from "../bytes.ts";
import { ArtifactError } from "../errors.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { cutOff, damaged } from "./decoder.ts";

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;
const RAW = 0;
const RLE = 1;
const RESERVED = 3;
const END_OF_FRAME = new Uint8Array(0);

/**
 * Splits a zstd stream (RFC 8878) into frame headers, blocks and checksums without decompressing it, with an empty
 * piece after each frame. Frames that need too much memory never reach a decoder, and a truncated stream or surplus
 * bytes are found with any decoder.
 */
export async function* zstdPieces(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  const take = async (count: number): Promise<Uint8Array> => {
    const bytes = await reader.upTo(count);
    if (bytes.length === count) return bytes;
    throw cutOff(where);
  };
  try {
    for (let frames = 0; ; ) {
      const start = await reader.upTo(4);
      if (start.length === 0 && frames > 0) return;
      if (start.length < 4) throw cutOff(where);
      const magic = littleEndian(start);
      if (magic >>> 4 === SKIPPABLE_MAGIC >>> 4) {
        await skipFrame(take, where);
        continue;
      }
      if (magic !== FRAME_MAGIC) {
        if (frames > 0)
          throw new ArtifactError("trailing-bytes", `${where}: there are bytes behind the compressed data`);
        throw damaged(where, "it does not start like zstd");
      }
      const { bytes, checksum } = await frameHeader(start, take, where);
      yield bytes;
      for (let last = false; !last; ) {
        const block = await take(3);
        const value = littleEndian(block);
        last = (value & 1) === 1;
        const type = (value >>> 1) & 3;
        const size = value >>> 3;
        if (type === RESERVED || size > BLOCK_BYTES_MAX) throw damaged(where, "a zstd block is malformed");
        const content = await take(type === RLE ? 1 : size);
        if (type !== RAW || size > 0 || last) yield Buffer.concat([block, content]);
      }
      if (checksum) yield await take(4);
      yield END_OF_FRAME;
      frames += 1;
    }
  } finally {
    await reader.close();
  }
}

function littleEndian(bytes: Uint8Array): number {
  let value = 0;
  for (let index = bytes.length - 1; index >= 0; index -= 1) value = value * 256 + (bytes[index] ?? 0);
  return value;
}

type Take = (count: number) => Promise<Uint8Array>;

async function skipFrame(take: Take, where: string): Promise<void> {
  const size = littleEndian(await take(4));
  if (size > ARTIFACT_LIMITS.skippableFrameBytesMax) {
    throw new ArtifactError("too-large", `${where}: a zstd frame asks to skip ${size} bytes`);
  }
  await take(size);
}

async function frameHeader(
  magic: Uint8Array,
  take: Take,
  where: string,
): Promise<{ bytes: Uint8Array; checksum: boolean }> {
  const descriptor = await take(1);
  const flags = descriptor[0] ?? 0;
  if ((flags & 0x08) !== 0) throw damaged(where, "a zstd frame header is malformed");
  if ((flags & 0x03) !== 0) throw damaged(where, "it needs a dictionary");
  const singleSegment = (flags & 0x20) !== 0;
  const sizeFlag = flags >>> 6;
  const window = await take(singleSegment ? 0 : 1);
  const contentSize = await take(sizeFlag === 0 ? Number(singleSegment) : 1 << sizeFlag);
  const windowBytes = singleSegment
    ? littleEndian(contentSize) + (sizeFlag === 1 ? 256 : 0)
    : 2 ** (10 + ((window[0] ?? 0) >>> 3)) * (1 + ((window[0] ?? 0) & 7) / 8);
  if (windowBytes > ARTIFACT_LIMITS.windowBytesMax) {
    throw new ArtifactError("compression-window-too-large", `${where}: zstd needs ${windowBytes} bytes of window`);
  }
  return { bytes: Buffer.concat([magic, descriptor, window, contentSize]), checksum: (flags & 0x04) !== 0 };
}
