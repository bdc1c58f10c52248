import { type Clock, createDirectoryDurably, type Files, isSystemError } from "@upkeep/shared/system";
import type { BlobTrash } from "./blobs.ts";
import { checkBlobName, isBlobName } from "./names.ts";

/** Where the trash of a directory of blobs is: on the same file system. */
export interface TrashPlace {
  readonly directory: string;
  readonly clock: Pick<Clock, "now">;
}

/** NAME.20260301T120000Z: a person who looks into the directory sees since when a file is in it. */
const ENTRY =
  /^(?<name>[0-9a-f-]{36})\.(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)T(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)Z$/;

interface Entry {
  readonly file: string;
  readonly name: string;
  readonly sinceMs: number;
}

function entryOf(file: string): Entry | undefined {
  const { name, year, month, day, hour, minute, second } = ENTRY.exec(file)?.groups ?? {};
  if (name === undefined || !isBlobName(name)) return undefined;
  return { file, name, sinceMs: Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) };
}

/** Files that belonged to no artifact, in a directory beside the blobs. */
export class FileTrash implements BlobTrash {
  readonly #files: Files;
  readonly #blobs: string;
  readonly #place: TrashPlace;

  constructor(files: Files, blobs: string, place: TrashPlace) {
    this.#files = files;
    this.#blobs = blobs;
    this.#place = place;
  }

  async #entries(): Promise<Entry[]> {
    const { directory } = this.#place;
    if ((await this.#files.status(directory)) === undefined) return [];
    return (await this.#files.list(directory)).flatMap(({ name }) => entryOf(name) ?? []);
  }

  async list(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#entries()).map(({ name, sinceMs }) => [name, sinceMs]));
  }

  async put(name: string): Promise<void> {
    const { directory, clock } = this.#place;
    await createDirectoryDurably(this.#files, directory, 0o700);
    const since = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, "");
    await this.#move(`${this.#blobs}/${checkBlobName(name)}`, `${directory}/${name}.${since}`);
  }

  async restore(name: string): Promise<void> {
    const [entry] = (await this.#entries()).filter((one) => one.name === name);
    if (entry === undefined) return;
    const path = `${this.#blobs}/${checkBlobName(name)}`;
    if ((await this.#files.status(path)) !== undefined) return;
    await this.#move(`${this.#place.directory}/${entry.file}`, path);
  }

  async purge(name: string): Promise<void> {
    const { directory } = this.#place;
    const entries = (await this.#entries()).filter((entry) => entry.name === name);
    for (const { file } of entries) await this.#files.remove(`${directory}/${file}`);
    if (entries.length > 0) await this.#files.syncDirectory(directory);
  }

  /** Another server that shares the directory may have done the same. */
  async #move(from: string, to: string): Promise<void> {
    try {
      await this.#files.rename(from, to);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return;
      throw error;
    }
    await this.#files.syncDirectory(this.#place.directory);
    await this.#files.syncDirectory(this.#blobs);
  }
}
