import { type Files, isSystemError, replaceFile, type SystemError } from "@upkeep/shared/system";

/** The sizes of the file and of its spare are multiples of this, so that one fits into the place of the other. */
const UNIT_BYTES = 8192;

/** True if the error means that there is no room, or no inode, for a new file. */
export function isFull(error: unknown): error is SystemError {
  return isSystemError(error, "ENOSPC", "EDQUOT");
}

/** `text`, padded with blanks and a line feed to a whole number of units, or to `bytes` if that is more. */
function padded(text: string, bytes = 0): Uint8Array {
  const content = new TextEncoder().encode(text);
  const whole = Math.ceil((content.length + 1) / UNIT_BYTES) * UNIT_BYTES;
  const buffer = new Uint8Array(bytes > content.length ? bytes : whole).fill(0x20);
  buffer.set(content);
  buffer[buffer.length - 1] = 0x0a;
  return buffer;
}

/** Bytes that a file system cannot compress. */
function incompressible(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let index = 0, state = 0x9e3779b9; index < count; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/**
 * A file that can be replaced on a full disk. A spare file of the same size beside it keeps blocks and an inode allocated.
 * When there is no room for a new file, the spare is overwritten and renamed, and the room of the old file becomes the next
 * spare. File systems that do not overwrite in place (btrfs, UBIFS) need room even for that: there the spare is removed
 * first.
 *
 * A power cut leaves the old content or the new one, as with `replaceFile`: the spare keeps its name until it is synced.
 */
export class SparedFile {
  readonly #files: Files;
  readonly #path: string;
  readonly #directory: string;
  /** Size of the spare; `undefined` if unknown. */
  #spareBytes: number | undefined;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
    this.#directory = path.slice(0, path.lastIndexOf("/"));
  }

  get #spare(): string {
    return `${this.#path}.spare`;
  }

  /** Replace the file's text, which is padded with blanks. Durable when it resolves. */
  async replace(text: string): Promise<void> {
    try {
      await replaceFile(this.#files, this.#path, padded(text), 0o600);
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.#replaceBySpare(text, error);
    }
    await this.tryToProvide(text);
  }

  async #replaceBySpare(text: string, full: SystemError): Promise<void> {
    const files = this.#files;
    const status = await files.status(this.#spare);
    this.#spareBytes = undefined;
    if (status === undefined || status.sizeBytes === 0) throw full;
    try {
      const handle = await files.open(this.#spare, "update");
      try {
        await handle.write(padded(text, status.sizeBytes), 0);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await files.rename(this.#spare, this.#path);
      await files.syncDirectory(this.#directory);
    } catch (error) {
      if (!isFull(error)) throw error;
      await files.remove(this.#spare);
      await files.syncDirectory(this.#directory);
      await replaceFile(files, this.#path, padded(text), 0o600);
    }
  }

  /** Create the spare, or extend it to its size. @returns Why that is impossible now, if it is. */
  async tryToProvide(text: string): Promise<SystemError | undefined> {
    try {
      await this.#provide(padded(text).length);
      return undefined;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#spareBytes = undefined;
      return error;
    }
  }

  async #provide(bytes: number): Promise<void> {
    const files = this.#files;
    let there = this.#spareBytes;
    if (there === undefined) {
      const status = await files.status(this.#spare);
      there = status?.sizeBytes ?? 0;
      if (status === undefined) await (await files.open(this.#spare, "exclusive", 0o600)).close();
    }
    if (there < bytes) {
      const handle = await files.open(this.#spare, "update");
      try {
        // A smaller spare is better than none.
        await handle.write(incompressible(bytes - there), there);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await files.syncDirectory(this.#directory);
    }
    this.#spareBytes = Math.max(there, bytes);
  }
}
