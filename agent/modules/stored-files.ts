import type { PayloadFile } from "@upkeep/shared/artifact";
import { type FileHandle, type Files, isSystemError, readChunks, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { interruptible, pump } from "./flow.ts";

/** The durable part of a payload, which survives a power cut. */
export interface StoredSoFar {
  /** The current file, in the work tree: `files/…`. Files before it in the artifact are complete. */
  readonly path: string;
  /** Its checksum in the manifest. */
  readonly sha256: string;
  /** Its bytes on the disk. */
  readonly bytes: number;
}

/** How often to sync the stored bytes and to report the progress: after that number of bytes or that time, whichever is first. */
export interface StoringPace {
  readonly bytes: number;
  readonly ms: number;
}

export interface StoringOptions {
  readonly system: Pick<System, "files" | "clock">;
  /** The work tree. */
  readonly tree: string;
  readonly signal: AbortSignal;
  /** Unsigned files may arrive: they get `files-augment/`. */
  readonly augmented: boolean;
  /** The part that was stored before a restart. */
  readonly before?: StoredSoFar | undefined;
  readonly pace: StoringPace;
  /** Called with the progress, as often as `pace` says. */
  readonly onStored?: ((stored: StoredSoFar) => Promise<void>) | undefined;
}

/** Files up to this size are synced together with others: to sync one takes longer than to write it. */
const SMALL_BYTES = 64 * 1024;
/** With less room than that, free bytes are asked for before each file. */
const ROOM_BYTES_MIN = 1024 * 1024;
/** What the smallest file takes on the disk. */
const BLOCK_BYTES = 4096;

const SIGNED = "files";
const UNSIGNED = "files-augment";
/** The directories of the work tree that hold a stored payload. */
export const STORED_IN: ReadonlySet<string> = new Set([SIGNED, UNSIGNED]);

/** The path of a stored file in the work tree. */
function placeOf(file: PayloadFile): string {
  return `${file.augmented ? UNSIGNED : SIGNED}/${file.name}`;
}

/**
 * Store a payload's files in the work tree's `files/`, and unsigned ones in `files-augment/`, for a module that does not
 * stream. Continues after the part that is stored already. The files are durable when it resolves. When it rejects, they
 * are removed, unless the signal stopped it: then a later call can continue.
 * @throws AgentError `disk-full`; the errors of reading the payload.
 */
export async function storeFiles(options: StoringOptions, payloadFiles: AsyncIterable<PayloadFile>): Promise<void> {
  const { system, tree, augmented, signal } = options;
  const directories = (augmented ? [SIGNED, UNSIGNED] : [SIGNED]).map((name) => `${tree}/${name}`);
  for (const directory of directories) await system.files.makeDirectory(directory, 0o700);
  await system.files.syncDirectory(tree);
  try {
    const storing = new Storing(options);
    for await (const file of payloadFiles) await storing.store(file);
    await storing.end(directories);
  } catch (error) {
    if (!signal.aborted) await removeStored(system.files, tree);
    throw error;
  }
}

/** Remove the stored files of a payload. */
export async function removeStored(files: Files, tree: string): Promise<void> {
  for (const name of STORED_IN) await files.remove(`${tree}/${name}`);
}

class Storing {
  readonly #options: StoringOptions;
  readonly #files: Files;
  /** The part of an earlier call that has not been reached yet. */
  #before: StoredSoFar | undefined;
  readonly #places = new Set<string>();
  /** Free bytes when last asked, less what was written since. */
  #roomBytes = 0;
  /** Small files that are complete, but not durable yet. */
  #unsynced: string[] = [];
  /** Since the last report of the progress. */
  #freshBytes = 0;
  #sinceMs: number;

  constructor(options: StoringOptions) {
    this.#options = options;
    this.#files = options.system.files;
    this.#before = options.before;
    this.#sinceMs = options.system.clock.monotonic();
  }

  async store(file: PayloadFile): Promise<void> {
    const { tree, signal } = this.#options;
    const place = placeOf(file);
    const path = `${tree}/${place}`;
    this.#places.add(place);
    const keptBytes = await this.#keep(file, place, path);
    if (keptBytes === file.sizeBytes && keptBytes > 0) {
      // Its end has been read, so its checksum is verified.
      for await (const chunk of file.content) throw new RangeError(`${chunk.length} bytes behind the end of ${place}`);
      return;
    }
    const small = file.sizeBytes <= SMALL_BYTES;
    await this.#demandRoom(file, path, file.sizeBytes - keptBytes);
    const handle = await this.#files.open(path, keptBytes > 0 ? "update" : "write", 0o600);
    try {
      let bytes = keptBytes;
      await pump(interruptible(file.content, signal), async (chunk) => {
        await writeAt(handle, chunk, bytes, file);
        bytes += chunk.length;
        this.#freshBytes += chunk.length;
        if (this.#due) await this.#tell(handle, { path: place, sha256: file.sha256, bytes });
      });
      if (small) this.#unsynced.push(path);
      else await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Make everything durable, and remove files of an earlier call that do not belong to this payload. */
  async end(directories: readonly string[]): Promise<void> {
    const { tree } = this.#options;
    await this.#syncSmall();
    for (const directory of directories) {
      for (const { name } of await this.#files.list(directory)) {
        const place = `${directory.slice(tree.length + 1)}/${name}`;
        if (!this.#places.has(place)) await this.#files.remove(`${tree}/${place}`);
      }
      await this.#files.syncDirectory(directory);
    }
    await this.#files.syncDirectory(tree);
  }

  /** Refuses a file for which there is no room before it is written. Small files do not ask for the free bytes each time. */
  async #demandRoom(file: PayloadFile, path: string, bytes: number): Promise<void> {
    if (bytes > SMALL_BYTES || this.#roomBytes < ROOM_BYTES_MIN) {
      this.#roomBytes = await this.#files.freeBytes(path.slice(0, path.lastIndexOf("/")));
      if (this.#roomBytes < bytes) throw diskFull(file, `${this.#roomBytes} bytes are free`);
    }
    this.#roomBytes -= Math.max(bytes, BLOCK_BYTES);
  }

  async #syncSmall(): Promise<void> {
    if (this.#unsynced.length > 0) await this.#files.syncFiles(this.#unsynced);
    this.#unsynced = [];
  }

  /** Skip the stored part of `file`. @returns Its bytes. */
  async #keep(file: PayloadFile, place: string, path: string): Promise<number> {
    const before = this.#before;
    if (before === undefined) return 0;
    const last = before.path === place;
    if (last) this.#before = undefined;
    const wanted = last ? Math.min(before.bytes, file.sizeBytes) : file.sizeBytes;
    const { sizeBytes } = (await this.#files.status(path)) ?? { sizeBytes: -1 };
    // Bytes after the durable part may be garbage; they are overwritten.
    const whole = sizeBytes >= wanted && sizeBytes <= file.sizeBytes;
    const good = whole && !(last && before.sha256 !== file.sha256) && (await this.#goOn(file, path, wanted));
    if (good) return wanted;
    // Files after a changed one are not trusted either.
    this.#before = undefined;
    return 0;
  }

  async #goOn(file: PayloadFile, path: string, bytes: number): Promise<boolean> {
    const { signal } = this.#options;
    const handle = await this.#files.open(path, "read");
    try {
      return await file.goOnAfter(upTo(interruptible(readChunks(handle), signal), bytes));
    } catch (error) {
      // Bytes that the disk cannot read are downloaded again.
      if (isSystemError(error)) return false;
      throw error;
    } finally {
      await handle.close();
    }
  }

  get #due(): boolean {
    const { pace, system } = this.#options;
    return this.#freshBytes >= pace.bytes || system.clock.monotonic() - this.#sinceMs >= pace.ms;
  }

  async #tell(handle: FileHandle, stored: StoredSoFar): Promise<void> {
    const { onStored, tree, system } = this.#options;
    if (onStored === undefined) return;
    await this.#syncSmall();
    await handle.sync();
    await this.#files.syncDirectory(`${tree}/${stored.path.slice(0, stored.path.indexOf("/"))}`);
    await onStored(stored);
    this.#freshBytes = 0;
    this.#sinceMs = system.clock.monotonic();
  }
}

async function* upTo(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  if (left === 0) return;
  for await (const chunk of source) {
    yield chunk.subarray(0, left);
    left -= Math.min(left, chunk.length);
    if (left === 0) return;
  }
}

async function writeAt(handle: FileHandle, chunk: Uint8Array, position: number, file: PayloadFile): Promise<void> {
  try {
    await handle.write(chunk, position);
  } catch (error) {
    if (isSystemError(error, "ENOSPC", "EDQUOT", "EFBIG")) throw diskFull(file, error.message, error);
    throw error;
  }
}

function diskFull(file: PayloadFile, detail: string, cause?: unknown): AgentError {
  return new AgentError(
    "disk-full",
    `no room to store payload file ${JSON.stringify(file.name)} of ${file.sizeBytes} bytes: ${detail}`,
    { cause },
  );
}
