import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { Workers, WorkerThread } from "../../system/worker-ports.ts";

/** Chunks are compressed once and downloaded often. */
const LEVEL = 19;

/** Compresses chunks, one zstd frame each, which states the size of its content. */
export interface ChunkCompression {
  readonly compress: (content: Uint8Array) => Promise<Uint8Array>;
  /** Call it when no chunk is being compressed. */
  close(): Promise<void>;
}

/** Node has zstd from 22.15 on; else WebAssembly does it. */
const PROGRAM = `
const zlib = require("node:zlib");
module.exports = ({ library, level }) => {
  if ("zstdCompressSync" in zlib) {
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
    return (content) => zlib.zstdCompressSync(content, { params, pledgedSrcSize: content.length });
  }
  const loading = import(library).then(({ Zstd }) => Zstd.load());
  return async (content) => (await loading).compress(content, level);
};
`;

/** Compresses in threads: a chunk takes milliseconds, for which the program would answer no request. */
export function compressInThreads(workers: Workers, count: number): ChunkCompression {
  const library = pathToFileURL(createRequire(import.meta.url).resolve("@hpcc-js/wasm-zstd")).href;
  const threads: (WorkerThread | undefined)[] = [];
  let next = 0;
  return {
    compress: async (content) => {
      const turn = next % count;
      next += 1;
      const thread = threads[turn] ?? workers.start(PROGRAM, { library, level: LEVEL });
      threads[turn] = thread;
      try {
        return (await thread.ask(content)) as Uint8Array;
      } catch (error) {
        // It has ended: the next chunk gets another one.
        if (threads[turn] === thread) threads[turn] = undefined;
        throw error;
      }
    },
    close: async () => {
      for (const thread of threads.splice(0)) await thread?.end();
    },
  };
}

/** Compresses in the program itself, which stands still meanwhile: for simulations. */
export function compressHere(): ChunkCompression {
  return {
    compress: async (content) => {
      const { Zstd } = await import("@hpcc-js/wasm-zstd");
      return (await Zstd.load()).compress(content, LEVEL);
    },
    close: () => Promise.resolve(),
  };
}
