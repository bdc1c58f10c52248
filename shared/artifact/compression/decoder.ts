import type { Transform } from "node:stream";
import { ArtifactError } from "../errors.ts";

/** Size of the pieces that a decompressor yields. Larger pieces cost fewer turns of the event loop. */
export const OUTPUT_BYTES = 256 * 1024;

/** These options let Node's decompressors work ahead in their thread while the consumer uses the last pieces. */
export const AHEAD = { chunkSize: OUTPUT_BYTES, readableObjectMode: true, readableHighWaterMark: 4 };

/** One of `node:zlib`'s streams. */
export interface Engine extends Transform {
  /** Bytes of input consumed so far. */
  readonly bytesWritten: number;
}

/** The error for compressed data that cannot be decompressed. */
export function damaged(where: string, cause: unknown): ArtifactError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ArtifactError("compression-damaged", `${where}: the compressed data is damaged (${detail})`, { cause });
}

/** The error for compressed data that is cut off. */
export function cutOff(where: string, cause?: unknown): ArtifactError {
  const options = cause === undefined ? {} : { cause };
  return new ArtifactError("truncated", `${where}: the compressed data ends too early`, options);
}

/** Resolves to false if the engine failed or was stopped. */
function write(engine: Engine, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    engine.write(chunk, (error) => resolve(error === null || error === undefined));
  });
}

/**
 * Runs `source` through one of Node's decompressors, which must consume the source to the last byte.
 * @param where Name of the entry, for messages.
 */
export async function* decompressWith(
  engine: Engine,
  source: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array> {
  /** `failed`: an error of the source, as opposed to one of the engine. */
  const input: { failed?: { readonly error: unknown } } = {};
  const feed = async (): Promise<void> => {
    let fed = 0;
    for await (const chunk of source) {
      if (engine.destroyed || !(await write(engine, chunk))) return;
      fed += chunk.length;
      if (engine.bytesWritten < fed) {
        throw new ArtifactError("trailing-bytes", `${where}: there are bytes behind the compressed data`);
      }
    }
    engine.end();
  };
  const feeding = feed().catch((error: unknown) => {
    input.failed = { error };
    engine.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const piece of engine) yield piece;
    // The engine may have ended by itself: the rest of the source is still read, to find surplus bytes.
    await feeding;
  } catch (error) {
    if (input.failed === undefined) {
      if (error instanceof Error && "code" in error && error.code === "Z_BUF_ERROR") {
        throw cutOff(where, error);
      }
      throw damaged(where, error);
    }
  } finally {
    engine.destroy();
  }
  if (input.failed !== undefined) throw input.failed.error;
}
