import { gunzipSync } from "node:zlib";
import type { ReadOptions } from "@upkeep/shared/artifact";

/** Faults in the reader that the fuzzer must find: a test of the fuzzer itself. */
export const PLANTED: Readonly<Record<string, ReadOptions>> = {
  none: {},
  /** Decompresses all of a stream before it hands out anything: no bound holds meanwhile. */
  unbounded: {
    decompressors: {
      gzip: async function* (source) {
        const pieces: Uint8Array[] = [];
        for await (const piece of source) pieces.push(piece);
        yield gunzipSync(Buffer.concat(pieces));
      },
    },
  },
  /** Never ends on a stream that ends early, and holds the event loop. */
  hanging: {
    decompressors: {
      xz: async function* (source) {
        let last = 0;
        for await (const piece of source) last = piece.at(-1) ?? last;
        // An xz stream ends with "YZ".
        while (last !== 0x5a);
        yield* [];
      },
    },
  },
};
