import { sha256 } from "../digest.ts";
import { DomainError, invalid } from "../errors.ts";
import type { Storage } from "../storage/index.ts";

/** Settings that client programs store for their users: any JSON object. */
export interface KeptSettings {
  readonly value: Readonly<Record<string, unknown>>;
  readonly etag: string;
}

const KEYS_MAX = 1024;
/** Owner of the settings that all users share. */
const SHARED = "";
const EMPTY: KeptSettings = { value: {}, etag: sha256("{}").slice(0, 32) };

/** The settings of each user, and the settings that all users share. */
export class Settings {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** @param userId Default: the shared settings. */
  get(userId: string = SHARED): Promise<KeptSettings> {
    return this.#storage.read(async ({ settings }) => {
      const record = await settings.find(userId);
      if (record === undefined) return EMPTY;
      return { value: JSON.parse(record.value_json) as KeptSettings["value"], etag: record.etag };
    });
  }

  /**
   * Replaces settings.
   * @param ifMatch The ETag that the current settings must have.
   * @returns The new ETag.
   * @throws DomainError (invalid); (etag-mismatch)
   */
  async put(value: KeptSettings["value"], userId: string = SHARED, ifMatch?: string): Promise<string> {
    const keys = Object.keys(value).length;
    if (keys > KEYS_MAX) throw invalid(`settings have at most ${KEYS_MAX} keys, not ${keys}`);
    const json = JSON.stringify(value);
    return this.#storage.transaction(async ({ settings }) => {
      const etag = (await settings.find(userId))?.etag ?? EMPTY.etag;
      if (ifMatch !== undefined && ifMatch !== etag) throw new DomainError("etag-mismatch");
      const next = sha256(json).slice(0, 32);
      await settings.put({ owner: userId, value_json: json, etag: next });
      return next;
    });
  }
}
