import type { Provides } from "@upkeep/shared/compatibility";
import type { Logger } from "@upkeep/shared/logging";
import { describeFaults } from "@upkeep/shared/protocol";
import {
  createDirectoryDurably,
  type Files,
  isSystemError,
  readTextFile,
  removeDurably,
  replaceFile,
} from "@upkeep/shared/system";
import * as z from "zod/mini";
import { JournalRecord } from "../update/journal.ts";

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
  update: z.union([JournalRecord, z.null()]),
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

/**
 * What the agent remembers: one file, replaced as a whole, so that everything in one save becomes durable
 * at once or not at all.
 */
export class DeviceStore {
  readonly #files: Files;
  readonly #path: string;
  #content: StoreContent;

  private constructor(files: Files, path: string, content: StoreContent) {
    this.#files = files;
    this.#path = path;
    this.#content = content;
  }

  /**
   * Open the store of a datastore directory, which is made if need be. A store that cannot be understood is
   * put aside as `…-broken`, and the device starts with an unknown artifact.
   * @throws SystemError if the file cannot be read at all.
   */
  static async open(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    await createDirectoryDurably(files, datastore, 0o700);
    const path = `${datastore}/${STORE_NAME}`;
    await removeDurably(files, `${path}.new`);
    const content = await readContent(files, path);
    if (typeof content !== "string") return new DeviceStore(files, path, content);
    await files.rename(path, `${path}-broken`);
    await files.syncDirectory(datastore);
    logger.error(
      `the device's store ${path} cannot be used (${content}); it is kept as ${path}-broken, and the installed artifact is unknown until the next update`,
    );
    return new DeviceStore(files, path, EMPTY);
  }

  /**
   * The store as it is now, for showing it: nothing is made, removed or put aside, so that whoever works with
   * the datastore at the same time is not disturbed. Not to be saved.
   */
  static async look(files: Files, datastore: string, logger: Logger): Promise<DeviceStore> {
    const path = `${datastore}/${STORE_NAME}`;
    const content = await readContent(files, path);
    if (typeof content !== "string") return new DeviceStore(files, path, content);
    logger.error(`the device's store ${path} cannot be used: ${content}`);
    return new DeviceStore(files, path, EMPTY);
  }

  /** What is installed, `artifact_name` included; `undefined` on a device that never installed an artifact. */
  get provides(): Provides | undefined {
    return this.#content.provides ?? undefined;
  }

  /** The update under way. */
  get update(): JournalRecord | undefined {
    return this.#content.update ?? undefined;
  }

  /** How the last update ended; `undefined` before the first one has. */
  get last(): LastUpdate | undefined {
    return this.#content.last;
  }

  /** Make a change durable as one transaction. When it rejects, {@link provides} and {@link update} are as before. */
  async save(change: StoreChange): Promise<void> {
    const text = JSON.stringify({ ...this.#content, ...change }, undefined, 1);
    await replaceFile(this.#files, this.#path, `${text}\n`, 0o600);
    // A copy, as the journal's record goes on changing; and just what a restart would find.
    this.#content = JSON.parse(text) as StoreContent;
  }
}

const EMPTY: StoreContent = { version: STORE_VERSION, provides: null, update: null };

/** @returns The content, or what is wrong with it. */
async function readContent(files: Files, path: string): Promise<StoreContent | string> {
  let text: string | undefined;
  try {
    text = await readTextFile(files, path, STORE_BYTES_MAX);
  } catch (error) {
    if (isSystemError(error, "EFBIG")) return error.message;
    throw error;
  }
  if (text === undefined) return EMPTY;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const content = z.safeParse(StoreContent, value);
  return content.success ? content.data : describeFaults(content.error);
}
