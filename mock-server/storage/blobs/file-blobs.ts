import { createDirectoryDurably, type FileHandle, type Files, removeDurably, SystemError } from "@upkeep/shared/system";
import { Semaphore } from "../../system/semaphore.ts";
import type { Blob, Blobs, BlobTrash, BlobWriter } from "./blobs.ts";
import { FileTrash, type TrashPlace } from "./file-trash.ts";
import { checkBlobName, isBlobName } from "./names.ts";

/** What the name of a file ends in while it is being written. */
const UNFINISHED = ".part";
/** The memory of a download that waits for a slow client. */
const READ_BYTES = 192 * 1024;
/**
 * The number of threads for file operations. If all downloads read whenever they could, each would have a chunk to send
 * in every event-loop turn, and any other request would wait for all of these.
 */
const READS_AT_ONCE = 4;

/**
 * Blobs as files of one directory, which is made if it is not there. What an earlier run began to
 * write and did not finish is removed.
 * @param options.unfinishedBeforeMs Where other processes use the directory too: what was written to since then
 *   may be theirs, and stays. Milliseconds since the Unix epoch.
 * @param options.trash Absent: there is none.
 */
export async function openFileBlobs(
  files: Files,
  directory: string,
  options: { readonly unfinishedBeforeMs?: number; readonly trash?: TrashPlace } = {},
): Promise<Blobs> {
  const { unfinishedBeforeMs = Infinity, trash } = options;
  await createDirectoryDurably(files, directory, 0o700);
  for (const { name } of await files.list(directory)) {
    if (!name.endsWith(UNFINISHED)) continue;
    const path = `${directory}/${name}`;
    const status = await files.status(path);
    if (status !== undefined && status.modifiedMs < unfinishedBeforeMs) await files.remove(path);
  }
  await files.syncDirectory(directory);
  return new FileBlobs(files, directory, trash);
}

class FileBlobs implements Blobs {
  readonly #files: Files;
  readonly #directory: string;
  /** Of all that is read. */
  readonly #readPermits = new Semaphore(READS_AT_ONCE);
  readonly trash?: BlobTrash;

  constructor(files: Files, directory: string, trash: TrashPlace | undefined) {
    this.#files = files;
    this.#directory = directory;
    if (trash !== undefined) this.trash = new FileTrash(files, directory, trash);
  }

  #path(name: string): string {
    return `${this.#directory}/${checkBlobName(name)}`;
  }

  async create(name: string): Promise<BlobWriter> {
    const path = this.#path(name);
    const handle = await this.#files.open(path + UNFINISHED, "exclusive");
    const writer = new FileBlobWriter(this.#files, this.#directory, path, handle);
    if ((await this.#files.status(path)) === undefined) return writer;
    await writer.discard();
    throw new SystemError("EEXIST", `there is a blob ${name} already`);
  }

  async open(name: string): Promise<Blob | undefined> {
    const path = this.#path(name);
    if ((await this.#files.status(path)) === undefined) return undefined;
    const handle = await this.#files.open(path, "read");
    return new FileBlob(handle, (await handle.status()).sizeBytes, this.#readPermits);
  }

  async remove(name: string): Promise<void> {
    await removeDurably(this.#files, this.#path(name));
  }

  async names(): Promise<string[]> {
    return (await this.#files.list(this.#directory)).map(({ name }) => name).filter(isBlobName);
  }

  async writtenMs(name: string): Promise<number | undefined> {
    return (await this.#files.status(this.#path(name)))?.modifiedMs;
  }
}

class FileBlobWriter implements BlobWriter {
  readonly #files: Files;
  readonly #directory: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #state: "open" | "committed" | "discarded" = "open";

  constructor(files: Files, directory: string, path: string, handle: FileHandle) {
    this.#files = files;
    this.#directory = directory;
    this.#path = path;
    this.#handle = handle;
  }

  write(data: Uint8Array): Promise<void> {
    return this.#handle.write(data);
  }

  async commit(): Promise<void> {
    await this.#handle.sync();
    this.#state = "committed";
    try {
      await this.#handle.close();
      await this.#files.rename(this.#path + UNFINISHED, this.#path);
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      await this.#files.remove(this.#path + UNFINISHED);
      await this.#files.remove(this.#path);
      throw error;
    }
  }

  async discard(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "discarded";
    try {
      await this.#handle.close();
    } finally {
      await this.#files.remove(this.#path + UNFINISHED);
    }
  }
}

class FileBlob implements Blob {
  readonly #handle: FileHandle;
  readonly sizeBytes: number;
  readonly #readPermits: Semaphore;

  constructor(handle: FileHandle, sizeBytes: number, readPermits: Semaphore) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
    this.#readPermits = readPermits;
  }

  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    let position = start;
    while (position < end) {
      const chunk = await this.#chunk(position, end);
      position += chunk.length;
      yield chunk;
    }
  }

  async #chunk(position: number, end: number): Promise<Uint8Array> {
    await this.#readPermits.acquire();
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - position));
      const count = await this.#handle.read(buffer, position);
      if (count === 0) throw new SystemError("EIO", `the file ends at byte ${position}, before byte ${end}`);
      return buffer.subarray(0, count);
    } finally {
      this.#readPermits.release();
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
