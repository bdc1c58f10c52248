import zlib from "node:zlib";
import { type Compressor, type Compressors, through } from "@upkeep/shared/artifact/write";

const CHUNK_BYTES = 256 * 1024;
/** The default of the zstd tool. */
const ZSTD_LEVEL = 3;
/** ZSTD_c_compressionLevel. */
const LEVEL_PARAMETER = 100;

/** LZMA_CHECK_CRC64. The types of the library want a name, but the library ignores names and checks nothing. */
const CRC64 = 4;

/**
 * lzma-native is the one package that streams and brings binaries for x64 and arm64 on Node 20: node-liblzma has none
 * for arm64 and needs Node 22 from version 5 on, and so does @napi-rs/lzma, which compressed whole buffers before.
 */
const xz: Compressor = async function* (source) {
  const { createCompressor } = await import("lzma-native");
  // One thread: several would split the stream depending on the machine.
  yield* through(source, createCompressor({ preset: 6, check: CRC64 as unknown as "CHECK_CRC64", threads: 1 }));
};

/** In `node:zlib` from Node 22.15 on, and so not in the types of the oldest supported Node. */
interface ZstdOfNode {
  createZstdCompress(options: object): ReturnType<typeof zlib.createGzip>;
}

/** The WebAssembly encoder has global state, so compressions run serially. */
let encoderFree: Promise<void> = Promise.resolve();

async function* zstdPortably(source: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  const before = encoderFree;
  let release = (): void => undefined;
  encoderFree = new Promise((resolve) => {
    release = resolve;
  });
  try {
    await before;
    const encoder = await Zstd.load();
    encoder.reset();
    encoder.setCompressionLevel(level);
    for await (const chunk of source) {
      for (let offset = 0; offset < chunk.length; offset += CHUNK_BYTES) {
        const piece = encoder.compressChunk(chunk.subarray(offset, offset + CHUNK_BYTES));
        if (piece.length > 0) yield piece;
      }
    }
    const last = encoder.compressEnd();
    if (last.length > 0) yield last;
  } finally {
    release();
  }
}

/** zstd of a level of the zstd tool, 1 to 22. */
export function zstdOf(level: number): Compressor {
  return (source) => {
    if (!("createZstdCompress" in zlib)) return zstdPortably(source, level);
    const native = zlib as unknown as ZstdOfNode;
    return through(source, native.createZstdCompress({ chunkSize: CHUNK_BYTES, params: { [LEVEL_PARAMETER]: level } }));
  };
}

/** The compressors of the artifact format beyond gzip. */
export const COMPRESSORS: Compressors = { xz, zstd: zstdOf(ZSTD_LEVEL) };
