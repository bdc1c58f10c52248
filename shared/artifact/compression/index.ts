import type { ArtifactContent, Compression, Decompressor } from "../types.ts";

/** Decompresses a stream. Each decompressor is loaded when the first artifact needs it. */
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
