import { createGunzip } from "node:zlib";
import { AHEAD, decompressWith } from "./decoder.ts";

/** Decompress gzip. */
export function gunzip(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  return decompressWith(createGunzip(AHEAD), source, where);
}
