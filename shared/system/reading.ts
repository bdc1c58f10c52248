import { SystemError } from "./errors.ts";
import type { FileHandle, Files } from "./files.ts";

const CHUNK_BYTES = 512 * 1024;

/** Buffers that are used in turn: new ones for each chunk would cost a quarter of the time, and more memory. */
const BUFFERS = 4;

/**
 * The rest of an open file in chunks, reading one chunk ahead. Does not close the handle. Buffers are reused: a chunk
 * is valid until two more were requested.
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
    // A pending read must end before the caller closes the handle.
    await ahead.then(
      () => undefined,
      () => undefined,
    );
  }
}

/** Files of /proc and /sys are longer than their stated size. */
const SMALL_BYTES = 512;

/**
 * Reads a whole small file.
 * @returns `undefined` if the file does not exist.
 * @throws SystemError with code EFBIG if it is larger than `limitBytes`.
 */
export async function readFile(files: Files, path: string, limitBytes: number): Promise<Buffer | undefined> {
  const status = await files.status(path);
  if (status === undefined) return undefined;
  const handle = await files.open(path, "read");
  try {
    // One byte more than the stated size: the end of the file shows without another buffer.
    let buffer = Buffer.allocUnsafe(Math.min(Math.max(status.sizeBytes, SMALL_BYTES), limitBytes) + 1);
    let filled = 0;
    for (;;) {
      if (filled > limitBytes) throw new SystemError("EFBIG", `${path} is larger than ${limitBytes} bytes`);
      if (filled === buffer.length) {
        const larger = Buffer.allocUnsafe(Math.min(2 * filled, limitBytes + 1));
        buffer.copy(larger);
        buffer = larger;
      }
      const count = await handle.read(buffer.subarray(filled));
      if (count === 0) return buffer.subarray(0, filled);
      filled += count;
    }
  } finally {
    await handle.close();
  }
}

/** {@link readFile}, as UTF-8 text. */
export async function readTextFile(files: Files, path: string, limitBytes: number): Promise<string | undefined> {
  return (await readFile(files, path, limitBytes))?.toString("utf8");
}
