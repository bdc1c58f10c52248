import type { Compression, Decompressor } from "../types.ts";
import type { Turn } from "./turns.ts";

const noTurn: Turn = () => Promise.resolve();

/** Decompressors that neither leave the thread nor wait for the event loop: two runs with them are the same. */
export const UNINTERRUPTED_DECOMPRESSORS: Readonly<Pick<Record<Compression, Decompressor>, "xz" | "zstd">> = {
  xz: async function* (source, where) {
    yield* (await import("./xz.ts")).unxz(source, where, noTurn);
  },
  zstd: async function* (source, where) {
    yield* (await import("./zstd.ts")).unzstdPortably(source, where, noTurn);
  },
};
