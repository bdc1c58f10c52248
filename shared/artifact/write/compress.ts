import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { copied } from "../bytes.ts";
import type { Compression } from "../types.ts";

/** Compresses a stream. The same input must give the same output. */
export type Compressor = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Compressors beyond the built-in `none` and `gzip`. */
export type Compressors = Readonly<Partial<Record<Compression, Compressor>>>;

/** Runs a stream through a transform; the consumer gets the errors of both. */
export async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const piping = pipeline(Readable.from(copied(source), { objectMode: true, highWaterMark: 2 }), transform).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    for await (const piece of transform) yield piece;
  } finally {
    transform.destroy();
    await piping;
  }
  const failed = await piping;
  if (failed !== undefined) throw failed.error;
}

const BUILT_IN: Compressors = {
  none: (source) => source,
  gzip: (source) => through(source, createGzip({ chunkSize: 256 * 1024 })),
};

/** The compressor for `compression`. @throws RangeError if this program has none. */
export function compressorFor(compression: Compression, given: Compressors): Compressor {
  const compressor = given[compression] ?? BUILT_IN[compression];
  if (compressor === undefined) throw new RangeError(`this program cannot write ${compression}`);
  return compressor;
}
