import type { Compression } from "../types.ts";

/** Suffix of a tar's name, by compression. */
export const SUFFIXES: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", xz: ".xz", zstd: ".zst" };

/** The compression of a name such as `header.tar.gz`; `undefined` for another stem or an unknown suffix. */
export function compressionOf(name: string, stem: string): Compression | undefined {
  for (const compression of ["none", "gzip", "xz", "zstd"] as const) {
    if (name === stem + SUFFIXES[compression]) return compression;
  }
  return undefined;
}
