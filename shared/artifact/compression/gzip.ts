import { createGunzip, type Gunzip } from "node:zlib";
import { AHEAD, decompressWith, OUTPUT_BYTES } from "./decoder.ts";

/**
 * More buffers than pieces that are under way: the stream's queue, one that it fills, and those of a consumer that
 * writes one piece while it asks for the next.
 */
const BUFFERS = AHEAD.readableHighWaterMark + 6;

/** Decompress gzip. Each piece is the consumer's to keep. */
export function gunzip(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  return decompressWith(createGunzip(AHEAD), source, where);
}

/**
 * Decompress gzip into the same few buffers again and again: a piece is valid until the one after the next is asked for.
 * With buffers of their own, up to 40 MiB of pieces that are no longer used wait for V8 to collect them.
 */
export function gunzipReusingBuffers(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  return decompressWith(reusingBuffers(createGunzip(AHEAD)), source, where);
}

/** Node takes the buffer of the next piece from this property, and sets a new one when that is full. */
function reusingBuffers(engine: Gunzip): Gunzip {
  const buffers: Buffer[] = [];
  let index = 0;
  Object.defineProperty(engine, "_outBuffer", {
    get: () => {
      buffers[index] ??= Buffer.allocUnsafeSlow(OUTPUT_BYTES);
      return buffers[index];
    },
    set: () => {
      index = (index + 1) % BUFFERS;
    },
  });
  return engine;
}
