import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { Files } from "@upkeep/shared/system";
import { type Kysely, Migrator } from "kysely";
import type { AfterCommit } from "./after-commit.ts";
import { openPostgresEngine } from "./engines/postgres-engine.ts";
import type { RecordsEngine } from "./engines/records-engine.ts";
import { openSqliteEngine } from "./engines/sqlite-engine.ts";
import { migrations } from "./migrations/index.ts";
import { Records } from "./records.ts";
import type { Schema } from "./schema.ts";
import type { StorageLocation } from "./sqlite.ts";

/**
 * The records.
 *
 * INVARIANTS
 * - Transactions go one after the other, in all processes that share the records: none sees anything of
 *   another that has not been committed, and none changes what another has read.
 * - When `transaction()` resolves, what it wrote survives a power cut; what `read()` tells does too.
 * - Records are good only inside the call they were given to.
 */
export class Storage {
  readonly #engine: RecordsEngine;
  #sync: { readonly db: Kysely<Schema>; readonly records: Records } | undefined;
  #closed = false;

  private constructor(engine: RecordsEngine) {
    this.#engine = engine;
  }

  /**
   * Open the records, and bring tables of an older version up to date.
   * @param files Access to the directory of a database that is a file.
   * @param logger Told of faults that no caller sees: a connection that breaks while idle, a failed checkpoint.
   */
  static async open(location: StorageLocation, files: Files, logger?: Pick<Logger, "error">): Promise<Storage> {
    const engine = await openEngine(location, files, logger);
    try {
      await migrate(engine);
    } catch (error) {
      await engine.close();
      throw error;
    }
    return new Storage(engine);
  }

  /** Read and write, all or nothing. If `work` rejects, nothing of it remains. It may be called again. */
  async transaction<T>(work: (records: Records) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error("the records are closed");
    let afterCommit: AfterCommit | undefined;
    const result = await this.#engine.write((db) => {
      const records = new Records(db);
      afterCommit = records.afterCommit;
      return work(records);
    });
    for (const task of afterCommit?.tasks ?? []) await task(this);
    return result;
  }

  /** Read. All statements see the same state. */
  read<T>(work: (records: Records) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("the records are closed"));
    return this.#engine.read((db) => work(new Records(db)));
  }

  /** As {@link read}, for work that is a single statement. */
  readOne<T>(work: (records: Records) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("the records are closed"));
    return this.#engine.readOne((db) => work(new Records(db)));
  }

  /**
   * Synchronous {@link read}. `work` uses synchronous methods of the records only.
   * @returns `undefined` if the caller must use {@link read}.
   */
  readSync<T extends object>(work: (records: Records) => T | undefined): { readonly found: T | undefined } | undefined {
    if (this.#closed) return undefined;
    return this.#engine.readSync((db) => work(this.#syncRecords(db)));
  }

  /** Waits for running and queued work. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#engine.close();
  }

  /** Synchronous reads share their records: every poll is one. */
  #syncRecords(db: Kysely<Schema>): Records {
    if (this.#sync?.db !== db) this.#sync = { db, records: new Records(db) };
    return this.#sync.records;
  }
}

function openEngine(
  location: StorageLocation,
  files: Files,
  logger: Pick<Logger, "error"> | undefined,
): Promise<RecordsEngine> {
  if ("url" in location) return openPostgresEngine(location, logger);
  return openSqliteEngine("memory" in location ? location : { ...location, files }, logger);
}

async function migrate(engine: RecordsEngine): Promise<void> {
  const { error } = await engine.migrate((db, schema) =>
    new Migrator({
      db,
      provider: migrations,
      ...given({ migrationTableSchema: schema }),
    }).migrateToLatest(),
  );
  if (error === undefined) return;
  const reason = error instanceof Error ? error.message : String(error);
  throw new Error(`the database cannot be brought up to date: ${reason}`, { cause: error });
}
