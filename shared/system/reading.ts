import { SystemError } from "./errors.ts";
import type { FileHandle, Files } from "./files.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Buffers that take turns. New ones for each chunk would cost a quarter of the time, and the memory of many. */
const BUFFERS = 4;

/**
 * The rest of an open file, chunk by chunk, reading one chunk ahead. Does not close the handle.
 * Buffers are used again: a chunk is good until two more have been asked for.
 */
export async function* readChunks(handle: FileHandle, chunkBytes = CHUNK_BYTES): AsyncGenerator<Uint8Array> {
  const buffers: Buffer[] = [];
  let turn = 0;
  const read = async (): Promise<Uint8Array> => {
    const buffer = buffers[turn] ?? Buffer.allocUnsafeSlow(chunkBytes);
    buffers[turn] = buffer;
    turn = (turn + 1) % BUFFERS;
    return buffer.subarray(0, await handle.read(buffer));
  };
  let ahead = read();
  try {
    for (;;) {
      const chunk = await ahead;
      if (chunk.length === 0) return;
      ahead = read();
      yield chunk;
    }
  } finally {
    // The read that is under way must have ended before the caller closes the handle.
    await ahead.then(
      () => undefined,
      () => undefined,
    );
  }
}

/**
 * A whole small file.
 * @returns `undefined` if there is no such file.
 * @throws SystemError with code EFBIG if it is larger than `limitBytes`.
 */
export async function readFile(files: Files, path: string, limitBytes: number): Promise<Buffer | undefined> {
  if ((await files.status(path)) === undefined) return undefined;
  const handle = await files.open(path, "read");
  try {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of readChunks(handle, 64 * 1024)) {
      total += chunk.length;
      if (total > limitBytes) throw new SystemError("EFBIG", `${path} is larger than ${limitBytes} bytes`);
      chunks.push(Uint8Array.from(chunk));
    }
    return Buffer.concat(chunks);
  } finally {
    await handle.close();
  }
}

/** {@link readFile}, as UTF-8 text. */
export async function readTextFile(files: Files, path: string, limitBytes: number): Promise<string | undefined> {
  return (await readFile(files, path, limitBytes))?.toString("utf8");
}
