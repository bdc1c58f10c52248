import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Compression } from "../types.ts";

/** Compresses a stream. The same input must give the same output. */
export type Compressor = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** The compressors that a program has. `none` and `gzip` are always there. */
export type Compressors = Readonly<Partial<Record<Compression, Compressor>>>;

/** Run a stream through a transform; errors of both ends come out at the reading end. */
export async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const piping = pipeline(Readable.from(source, { objectMode: true, highWaterMark: 2 }), transform).then(
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
