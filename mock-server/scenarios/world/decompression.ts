import { gunzipSync } from "node:zlib";
import {
  ArtifactError,
  type Compression,
  type Decompressor,
  UNINTERRUPTED_DECOMPRESSORS,
} from "@upkeep/shared/artifact";

/**
 * All at once, at the end: what is decompressed in a thread comes back when it comes back, and two runs would not
 * be the same.
 */
const gunzip: Decompressor = async function* (source, where) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
  try {
    yield gunzipSync(Buffer.concat(chunks));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new ArtifactError("compression-damaged", `${where}: the compressed data is damaged (${detail})`, {
      cause: error,
    });
  }
};

export const SYNCHRONOUS_DECOMPRESSORS: Readonly<Partial<Record<Compression, Decompressor>>> = {
  ...UNINTERRUPTED_DECOMPRESSORS,
  gzip: gunzip,
};
