import type { ArtifactContent, Compression, Decompressor } from "../types.ts";

/** A stream without its compression. The decompressors are loaded when an artifact needs them. */
export async function decompress(
  compression: Compression,
  source: ArtifactContent,
  where: string,
  given: Partial<Record<Compression, Decompressor>> = {},
): Promise<ArtifactContent> {
  const preferred = given[compression];
  if (preferred !== undefined) return preferred(source, where);
  switch (compression) {
    case "none":
      return source;
    case "gzip":
      return (await import("./gzip.ts")).gunzip(source, where);
    case "xz":
      return (await import("./xz.ts")).unxz(source, where);
    case "zstd":
      return (await import("./zstd.ts")).unzstd(source, where);
  }
}
