import type { PayloadFile } from "@upkeep/shared/artifact";
import { type FileHandle, type Files, isSystemError, readChunks, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { interruptible, pump } from "./flow.ts";

/** How far a payload is stored: durably, so that a power cut takes nothing of it away. */
export interface StoredSoFar {
  /** The file under way, in the work tree: `files/…`. Those that come before it in the artifact are complete. */
  readonly path: string;
  /** What the manifest says of it. */
  readonly sha256: string;
  /** So much of it lies on the disk. */
  readonly bytes: number;
}

/** When to make durable what was stored, and to write down how far that is: whichever comes first. */
export interface StoringPace {
  readonly bytes: number;
  readonly ms: number;
}

export interface StoringOptions {
  readonly system: Pick<System, "files" | "clock">;
  /** The work tree. */
  readonly tree: string;
  readonly signal: AbortSignal;
  /** Files that no signature covers may come: they get `files-augment/`. */
  readonly augmented: boolean;
  /** What an earlier storing left in the tree; none if absent. */
  readonly before?: StoredSoFar | undefined;
  readonly pace: StoringPace;
  /** Told how far it is, in the pace above; writes it down. */
  readonly onStored?: ((stored: StoredSoFar) => Promise<void>) | undefined;
}

const SIGNED = "files";
const UNSIGNED = "files-augment";
/** The directories of the work tree that hold a stored payload. */
export const STORED_IN: ReadonlySet<string> = new Set([SIGNED, UNSIGNED]);

/** Where a payload's file is stored, in the work tree. */
function placeOf(file: PayloadFile): string {
  return `${file.augmented ? UNSIGNED : SIGNED}/${file.name}`;
}

/**
 * Store a payload's files in the work tree's `files/`, and those that no signature covers in `files-augment/`,
 * for a module that does not stream. Goes on behind what an earlier storing left there. Durable when it resolves. When
 * it rejects, nothing of it is left, unless it was the signal that stopped it: then it can be gone on with.
 * @throws AgentError `disk-full`, besides what reading the payload throws.
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

/** Remove what was stored of a payload. */
export async function removeStored(files: Files, tree: string): Promise<void> {
  for (const name of STORED_IN) await files.remove(`${tree}/${name}`);
}

class Storing {
  readonly #options: StoringOptions;
  readonly #files: Files;
  /** What is still to be looked for in what an earlier storing left. */
  #before: StoredSoFar | undefined;
  readonly #places = new Set<string>();
  /** Since it was last written down how far it is. */
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
      // It is verified now: its end is read.
      for await (const chunk of file.content) throw new RangeError(`${chunk.length} bytes behind the end of ${place}`);
      return;
    }
    const freeBytes = await this.#files.freeBytes(path.slice(0, path.lastIndexOf("/")));
    if (freeBytes < file.sizeBytes - keptBytes) throw diskFull(file, `${freeBytes} bytes are free`);
    const handle = await this.#files.open(path, keptBytes > 0 ? "update" : "write", 0o600);
    try {
      let bytes = keptBytes;
      await pump(interruptible(file.content, signal), async (chunk) => {
        await writeAt(handle, chunk, bytes, file);
        bytes += chunk.length;
        this.#freshBytes += chunk.length;
        if (this.#due) await this.#tell(handle, { path: place, sha256: file.sha256, bytes });
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Make the names durable, and remove what an earlier storing left that is no part of this payload. */
  async end(directories: readonly string[]): Promise<void> {
    const { tree } = this.#options;
    for (const directory of directories) {
      for (const { name } of await this.#files.list(directory)) {
        const place = `${directory.slice(tree.length + 1)}/${name}`;
        if (!this.#places.has(place)) await this.#files.remove(`${tree}/${place}`);
      }
      await this.#files.syncDirectory(directory);
    }
    await this.#files.syncDirectory(tree);
  }

  /** Let the reading of `file` go on behind what is stored of it. @returns How many bytes those are. */
  async #keep(file: PayloadFile, place: string, path: string): Promise<number> {
    const before = this.#before;
    if (before === undefined) return 0;
    const last = before.path === place;
    if (last) this.#before = undefined;
    const wanted = last ? Math.min(before.bytes, file.sizeBytes) : file.sizeBytes;
    const { sizeBytes } = (await this.#files.status(path)) ?? { sizeBytes: -1 };
    // Behind what was made durable there may be anything, but nothing that would not be written over.
    const whole = sizeBytes >= wanted && sizeBytes <= file.sizeBytes;
    const good = whole && !(last && before.sha256 !== file.sha256) && (await this.#goOn(file, path, wanted));
    if (good) return wanted;
    // What follows a file that is not as it was is not trusted either.
    this.#before = undefined;
    return 0;
  }

  async #goOn(file: PayloadFile, path: string, bytes: number): Promise<boolean> {
    const { signal } = this.#options;
    const handle = await this.#files.open(path, "read");
    try {
      return await file.goOnAfter(upTo(interruptible(readChunks(handle), signal), bytes));
    } catch (error) {
      // What the disk does not give back comes over the network once more.
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
