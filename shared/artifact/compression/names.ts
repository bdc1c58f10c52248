import type { Compression } from "../types.ts";

/** What a tar's name ends in, by its compression. */
export const SUFFIXES: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", xz: ".xz", zstd: ".zst" };

/** The compression that a name such as `header.tar.gz` tells; `undefined` if its stem is another or the suffix unknown. */
export function compressionOf(name: string, stem: string): Compression | undefined {
  for (const compression of ["none", "gzip", "xz", "zstd"] as const) {
    if (name === stem + SUFFIXES[compression]) return compression;
  }
  return undefined;
}
