import { ReadableStream } from "node:stream/web";
import { ArtifactError } from "../errors.ts";
import { damaged } from "./engine.ts";

/** What the decoder gets at once: as much as it may have to decompress after it was told to stop. */
const INPUT_BYTES = 16 * 1024;

/** What the decoder says (XZ_MEMLIMIT_ERROR) of a dictionary larger than 64 MiB, which is what `xz -9` uses. */
const MEMORY_LIMIT = "error code 4";

/** What a CommonJS package exports: its names, or, where a bundler made a chunk of it, one object with them. */
function exportsOf<T extends object>(module: T & { readonly default?: T }): T {
  return module.default ?? module;
}

/** The source in small pieces, its very last byte a piece of its own. */
async function* lastByteApart(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    if (chunk.length === 0) continue;
    if (held !== undefined) yield held;
    const end = chunk.length - 1;
    for (let offset = 0; offset < end; offset += INPUT_BYTES) {
      yield chunk.subarray(offset, Math.min(offset + INPUT_BYTES, end));
    }
    held = chunk.subarray(end);
  }
  if (held !== undefined) yield held;
}

/**
 * Decompress xz in WebAssembly. The decoder says that it is done, not how much it used: as an xz stream ends
 * with its last byte and that byte comes alone, being done before it means that something stands behind.
 */
export async function* unxz(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = exportsOf(await import("xz-decompress"));
  const pieces = lastByteApart(source);
  const input: { stopped: boolean; ended: boolean; failed?: { readonly error: unknown } } = {
    stopped: false,
    ended: false,
  };
  const compressed = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (input.stopped) throw new Error("stopped");
          const next = await pieces.next();
          if (next.done !== true) return controller.enqueue(next.value);
          // Not an error yet: the decoder may have output left to give.
          input.ended = true;
          controller.close();
        } catch (error) {
          input.failed ??= { error };
          throw error;
        }
      },
    },
    { highWaterMark: 0 },
  );
  const reader = new XzReadableStream(compressed).getReader();
  let open = true;
  /** The next piece, `undefined` at the end; `open` tells whether the decoder still holds its memory. */
  const read = async (): Promise<Uint8Array | undefined> => {
    try {
      const next = await reader.read();
      open = !next.done;
      return next.value;
    } catch (error) {
      open = false;
      if (input.failed !== undefined) throw input.failed.error;
      if (error instanceof Error && error.message.endsWith(MEMORY_LIMIT)) {
        const detail = `${where}: xz needs a larger dictionary than 64 MiB`;
        throw new ArtifactError("compression-window-too-large", detail, { cause: error });
      }
      if (!input.ended) throw damaged(where, error);
      throw new ArtifactError("truncated", `${where}: the compressed data ends too early`, { cause: error });
    }
  };
  try {
    for (let piece = await read(); piece !== undefined; piece = await read()) if (piece.length > 0) yield piece;
    if ((await pieces.next()).done !== true) {
      throw new ArtifactError("trailing-bytes", `${where}: there are bytes behind the compressed data`);
    }
  } finally {
    // There is one decoder for all streams, and cancelling it while it waits for input upsets it. So it is
    // starved instead: it fails, and is free for the next stream.
    input.stopped = true;
    while (open) {
      await read().catch((error: unknown) => {
        input.failed ??= { error };
      });
    }
    await pieces.return(undefined);
  }
}
