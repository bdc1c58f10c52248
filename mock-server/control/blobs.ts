import { SystemError } from "@upkeep/shared/system";
import type { Blob, Blobs, BlobTrash, BlobWriter, DirectBlobs } from "../storage/blobs/index.ts";

/**
 * A blob store that hides removed blobs as long as a snapshot needs them. Blobs that are hidden when the program
 * ends go to the trash at the next start, as all blobs without an artifact do.
 */
export class RetainedBlobs implements Blobs {
  readonly #blobs: Blobs;
  readonly #isNeeded: (name: string) => boolean;
  readonly #hidden = new Set<string>();
  readonly direct?: DirectBlobs;
  readonly trash?: BlobTrash;

  constructor(blobs: Blobs, isNeeded: (name: string) => boolean) {
    this.#blobs = blobs;
    this.#isNeeded = isNeeded;
    if (blobs.direct !== undefined) this.direct = blobs.direct;
    if (blobs.trash !== undefined) this.trash = blobs.trash;
  }

  async create(name: string): Promise<BlobWriter> {
    if (this.#hidden.has(name)) throw new SystemError("EEXIST", `a snapshot holds a blob ${name}`);
    return await this.#blobs.create(name);
  }

  async open(name: string): Promise<Blob | undefined> {
    return this.#hidden.has(name) ? undefined : await this.#blobs.open(name);
  }

  async remove(name: string): Promise<void> {
    if (this.#isNeeded(name)) this.#hidden.add(name);
    else await this.#blobs.remove(name);
  }

  async names(): Promise<string[]> {
    return (await this.#blobs.names()).filter((name) => !this.#hidden.has(name));
  }

  writtenMs(name: string): Promise<number | undefined> {
    return this.#hidden.has(name) ? Promise.resolve(undefined) : this.#blobs.writtenMs(name);
  }

  /** Makes exactly these blobs visible. */
  async restore(names: readonly string[]): Promise<void> {
    const wanted = new Set(names);
    for (const name of wanted) this.#hidden.delete(name);
    for (const name of await this.names()) if (!wanted.has(name)) await this.remove(name);
  }

  /** Removes hidden blobs that no snapshot needs any more. */
  async forget(): Promise<void> {
    for (const name of [...this.#hidden]) {
      if (this.#isNeeded(name)) continue;
      this.#hidden.delete(name);
      await this.#blobs.remove(name);
    }
  }
}
