import type { Compression, Decompressor } from "../types.ts";
import type { Turn } from "./turns.ts";

const noTurn: Turn = () => Promise.resolve();

/** Decompressors that use neither threads nor turns of the event loop, so that a simulation stays deterministic. */
export const UNINTERRUPTED_DECOMPRESSORS: Readonly<Pick<Record<Compression, Decompressor>, "xz" | "zstd">> = {
  xz: async function* (source, where) {
    yield* (await import("./xz.ts")).unxz(source, where, noTurn);
  },
  zstd: async function* (source, where) {
    yield* (await import("./zstd.ts")).unzstdPortably(source, where, noTurn);
  },
};
