import type { Provides } from "@upkeep/shared/compatibility";
import type { Logger } from "@upkeep/shared/logging";
import { describeFaults } from "@upkeep/shared/protocol";
import {
  createDirectoryDurably,
  type Files,
  isSystemError,
  readTextFile,
  removeDurably,
  type SystemError,
} from "@upkeep/shared/system";
import * as z from "zod/mini";
import { JournalRecord } from "./journal.ts";
import { SparedFile } from "./spared-file.ts";

const STORE_NAME = "upkeep-store.json";
const STORE_VERSION = 1;
/** Far more than any provides; a larger file is not ours. */
const STORE_BYTES_MAX = 4 * 1024 * 1024;

const LastUpdate = z.object({
  mode: z.enum(["deployment", "standalone"]),
  /** Of a deployment, its id. */
  deployment: z.union([z.string(), z.null()]),
  /** `null` if its header was never read. */
  artifactName: z.union([z.string(), z.null()]),
  status: z.enum(["success", "failure"]),
  device: z.enum(["old", "new", "unknown"]),
  failure: z.union([z.string(), z.null()]),
  /** When it ended, in milliseconds since the Unix epoch. */
  endedMs: z.number(),
});
export type LastUpdate = z.infer<typeof LastUpdate>;

const StoreContent = z.object({
  version: z.literal(STORE_VERSION),
  /** What is installed, `artifact_name` included; `null` when nobody ever said. */
  provides: z.union([z.record(z.string(), z.string()), z.null()]),
  /** The update under way, daemon's or standalone: there is never more than one. */
  update: z.union([z.null(), JournalRecord]),
  /** How the last update ended, for a person who asks. */
  last: z.optional(LastUpdate),
});
type StoreContent = z.infer<typeof StoreContent>;

/** What a save may change. What is absent stays as it is. */
export interface StoreChange {
  readonly provides?: Provides;
  readonly update?: JournalRecord | null;
  readonly last?: LastUpdate;
}

/** What a store begins with. `fault`: why it could not be read. */
interface Reading {
  readonly content: StoreContent;
  readonly fault?: SystemError;
  /** The file cannot be understood, and has not been put aside yet. */
  readonly broken?: string;
}

/**
 * What the agent remembers: one file, replaced as a whole, so that everything in one save becomes durable
 * at once or not at all. Room for the next save is set aside: it succeeds on a full disk too (`SparedFile`).
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
  /** The directory is there, and holds nothing that an interrupted save left. */
  #prepared = false;
  /** What could not be saved and must be part of the next save. */
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
   * Open the store of a datastore directory, which is made if need be. A store that cannot be understood is
   * put aside as `…-broken`, and the device starts with an unknown artifact. A disk that cannot be written or read
   * does not prevent opening it: see {@link recover} and {@link unreadable}.
   */
  static async open(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    const store = new DeviceStore(files, datastore, logger, await reading(files, pathIn(datastore)));
    await store.#tryToPrepare();
    return store;
  }

  /**
   * The store as it is now, for showing it: nothing is made, removed or put aside, so that whoever works with
   * the datastore at the same time is not disturbed. Not to be saved.
   * @throws SystemError if the file cannot be read at all.
   */
  static async look(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    const path = pathIn(datastore);
    const found = await reading(files, path);
    if (found.fault !== undefined) throw found.fault;
    if (found.broken !== undefined) logger.error(`the device's store ${path} cannot be used: ${found.broken}`);
    return new DeviceStore(files, datastore, logger, found);
  }

  /** Why the store could not be read: then nothing is known of the device, and nothing can be saved. */
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
   * Make a change durable as one transaction. When it rejects, {@link provides} and {@link update} are as before.
   * @throws SystemError if the disk cannot be written, or the store could not be read.
   */
  async save(change: StoreChange): Promise<void> {
    // What was not read must not be written over.
    if (this.#unread !== undefined) throw this.#unread;
    await this.#prepare();
    const content = z.encode(StoreContent, { ...this.#content, ...this.#owed, ...change });
    const text = JSON.stringify(content, undefined, 1);
    await this.#file.replace(text);
    // A copy, as the journal's record goes on changing; and just what a restart would find.
    this.#content = z.decode(StoreContent, JSON.parse(text));
    this.#owed = {};
  }

  /** Count on what the device provides from now on, though it could not be saved: the next save includes it. */
  owe(provides: Provides): void {
    this.#owed = { provides };
  }

  /** Try again what failed for a fault of the disk: reading the store, and setting room aside. */
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

/** A store, as the rest of the agent uses it. */
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
