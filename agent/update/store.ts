import type { Provides } from "@upkeep/shared/compatibility";
import type { Logger } from "@upkeep/shared/logging";
import { describeFaults, recordOf } from "@upkeep/shared/protocol";
import {
  createDirectoryDurably,
  type Files,
  isSystemError,
  readTextFile,
  removeDurably,
  type SystemError,
} from "@upkeep/shared/system";
import * as z from "zod/mini";
import { JournalRecord, StoredTransfer } from "./journal.ts";
import { SparedFile } from "./spared-file.ts";

const STORE_NAME = "upkeep-store.json";
const STORE_VERSION = 1;
/** Far more than any provides need: a larger file is not ours. */
const STORE_BYTES_MAX = 4 * 1024 * 1024;

const LastUpdate = z.object({
  mode: z.enum(["deployment", "standalone"]),
  /** Id of a deployment. */
  deployment: z.union([z.string(), z.null()]),
  /** `null` if its header was never read. */
  artifactName: z.union([z.string(), z.null()]),
  status: z.enum(["success", "failure"]),
  device: z.enum(["old", "new", "unknown"]),
  failure: z.union([z.string(), z.null()]),
  /** When it ended, in milliseconds since the Unix epoch. */
  endedMs: z.number(),
  /** What the download cost, if an adaptive one was offered. */
  transfer: z.optional(StoredTransfer),
});
export type LastUpdate = z.infer<typeof LastUpdate>;

const StoreContent = z.object({
  version: z.literal(STORE_VERSION),
  /** What is installed, `artifact_name` included; `null` before the first update. */
  provides: z.union([recordOf(z.string()), z.null()]),
  /** The update that is under way, a deployment or an update by hand: there is never more than one. */
  update: z.union([z.null(), JournalRecord]),
  /** How the last update ended, for a person who asks. */
  last: z.optional(LastUpdate),
});
type StoreContent = z.infer<typeof StoreContent>;

/** The changes of one save. Absent fields stay as they are. */
export interface StoreChange {
  readonly provides?: Provides;
  readonly update?: JournalRecord | null;
  readonly last?: LastUpdate;
}

/** The result of reading the store. `fault`: why it could not be read. */
interface Reading {
  readonly content: StoreContent;
  readonly fault?: SystemError;
  /** Why the content is invalid; the file has not been renamed yet. */
  readonly broken?: string;
}

/**
 * The agent's persistent data: one file, replaced as a whole, so that a save becomes durable completely or not at all. Room
 * for the next save is reserved, so that it succeeds on a full disk (`SparedFile`).
 */
export class DeviceStore {
  readonly #files: Files;
  readonly #directory: string;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #file: SparedFile;
  #content: StoreContent;
  #unread: SystemError | undefined;
  #broken: string | undefined;
  /** The directory exists, without the temporary file of an interrupted save. */
  #prepared = false;
  /** Changes that could not be saved and must be part of the next save. */
  #owed: StoreChange = {};

  private constructor(files: Files, datastore: string, logger: Logger, { content, fault, broken }: Reading) {
    this.#files = files;
    this.#directory = datastore;
    this.#path = pathIn(datastore);
    this.#logger = logger;
    this.#file = new SparedFile(files, this.#path);
    this.#content = content;
    this.#unread = fault;
    this.#broken = broken;
  }

  /**
   * Open the store of a datastore directory, which is created if it does not exist. A store with invalid content is renamed
   * to `…-broken`, and the device starts with an unknown artifact. A disk that cannot be written or read does not prevent
   * opening it: see {@link recover} and {@link unreadable}.
   */
  static async open(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    const store = new DeviceStore(files, datastore, logger, await reading(files, pathIn(datastore)));
    await store.#tryToPrepare();
    return store;
  }

  /**
   * Read the store without changing anything on disk, since another process may be using it. It must not be saved.
   * @throws SystemError if the file cannot be read at all.
   */
  static async look(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    const path = pathIn(datastore);
    const found = await reading(files, path);
    if (found.fault !== undefined) throw found.fault;
    if (found.broken !== undefined) logger.error(`the device's store ${path} cannot be used: ${found.broken}`);
    return new DeviceStore(files, datastore, logger, found);
  }

  /** Why the store could not be read. Until it can, it has no content and cannot be saved. */
  get unreadable(): SystemError | undefined {
    return this.#unread;
  }

  /** What is installed, `artifact_name` included; `undefined` on a device that never installed an artifact. */
  get provides(): Provides | undefined {
    return this.#owed.provides ?? this.#content.provides ?? undefined;
  }

  /** The update under way. */
  get update(): JournalRecord | undefined {
    return this.#content.update ?? undefined;
  }

  /** How the last update ended; `undefined` before the first one has. */
  get last(): LastUpdate | undefined {
    return this.#content.last;
  }

  /**
   * Make a change durable as one transaction. If it rejects, {@link provides} and {@link update} are unchanged.
   * @throws SystemError if the disk cannot be written, or the store could not be read.
   */
  async save(change: StoreChange): Promise<void> {
    // Content that could not be read must not be overwritten.
    if (this.#unread !== undefined) throw this.#unread;
    await this.#prepare();
    const content = z.encode(StoreContent, { ...this.#content, ...this.#owed, ...change });
    const text = JSON.stringify(content, undefined, 1);
    await this.#file.replace(text);
    // A copy, since the caller goes on changing the record: exactly what a restart would read.
    this.#content = z.decode(StoreContent, JSON.parse(text));
    this.#owed = {};
  }

  /** Set the provides although they could not be saved; the next save includes them. */
  owe(provides: Provides): void {
    this.#owed = { provides };
  }

  /** Retry what failed because of the disk: reading the store, and reserving room. */
  async recover(): Promise<void> {
    if (this.#unread !== undefined) {
      const { content, fault, broken } = await reading(this.#files, this.#path);
      this.#content = content;
      this.#unread = fault;
      this.#broken = broken;
    }
    await this.#tryToPrepare();
  }

  async #tryToPrepare(): Promise<void> {
    try {
      await this.#prepare();
      const fault =
        this.#unread ?? (await this.#file.tryToProvide(JSON.stringify(z.encode(StoreContent, this.#content))));
      if (fault !== undefined) throw fault;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#logger.error(
        `the data directory ${this.#directory} cannot be ${this.#unread === undefined ? "written" : "read"}: ${error.message}; until it can, updates may fail`,
      );
    }
  }

  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    const files = this.#files;
    await createDirectoryDurably(files, this.#directory, 0o700);
    await removeDurably(files, `${this.#path}.new`);
    if (this.#broken !== undefined) {
      await files.rename(this.#path, `${this.#path}-broken`);
      await files.syncDirectory(this.#directory);
      this.#logger.error(
        `the device's store ${this.#path} cannot be used (${this.#broken}); it is kept as ${this.#path}-broken, and the installed artifact is unknown until the next update`,
      );
      this.#broken = undefined;
    }
    this.#prepared = true;
  }
}

/** The interface of a store for the rest of the agent. */
export type Store = Pick<DeviceStore, keyof DeviceStore>;

function pathIn(datastore: string): string {
  return `${datastore}/${STORE_NAME}`;
}

const EMPTY: StoreContent = { version: STORE_VERSION, provides: null, update: null };

async function reading(files: Files, path: string): Promise<Reading> {
  let text: string | undefined;
  try {
    text = await readTextFile(files, path, STORE_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === "EFBIG" ? { content: EMPTY, broken: error.message } : { content: EMPTY, fault: error };
  }
  return text === undefined ? { content: EMPTY } : parsed(text);
}

function parsed(text: string): Reading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { content: EMPTY, broken: `it is not JSON: ${why}` };
  }
  const content = z.safeParse(StoreContent, value);
  return content.success ? { content: content.data } : { content: EMPTY, broken: describeFaults(content.error) };
}
