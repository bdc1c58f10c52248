import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { Files } from "@upkeep/shared/system";
import { type Kysely, Migrator } from "kysely";
import type { AfterCommit } from "./after-commit.ts";
import { openPostgresEngine } from "./engines/postgres-engine.ts";
import type { RecordsEngine } from "./engines/records-engine.ts";
import { openSqliteEngine } from "./engines/sqlite-engine.ts";
import { logNoEvents } from "./events.ts";
import { migrations } from "./migrations/index.ts";
import { Records } from "./records.ts";
import type { Schema } from "./schema.ts";
import type { StorageLocation } from "./sqlite.ts";

/** Transactions between two folds. */
const FOLDED_EVERY = 200;

/**
 * The records.
 *
 * INVARIANTS
 * - Transactions go one after the other, in all processes that share the records, except those of different devices:
 *   none sees anything of another that has not been committed, and none changes what another has read.
 * - Transactions of different devices are ordered only where a statement orders them (see README.md): the places of a
 *   deployment, the losses of a phase.
 * - When `transaction()` resolves, what it wrote survives a power cut; what `read()` tells does too.
 * - Records are good only inside the call they were given to.
 */
export class Storage {
  readonly #engine: RecordsEngine;
  readonly #logger: Pick<Logger, "error"> | undefined;
  /** Transactions since the last {@link fold} by itself. */
  #unfolded = 0;
  #folding: Promise<void> | undefined;
  #sync: { readonly db: Kysely<Schema>; readonly records: Records } | undefined;
  #closed = false;

  private constructor(engine: RecordsEngine, logger: Pick<Logger, "error"> | undefined) {
    this.#engine = engine;
    this.#logger = logger;
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
      if ("memory" in location && location.events === false) await engine.migrate((db) => logNoEvents(db));
    } catch (error) {
      await engine.close();
      throw error;
    }
    return new Storage(engine, logger);
  }

  /** Read and write, all or nothing. If `work` rejects, nothing of it remains. It may be called again. */
  transaction<T>(work: (records: Records) => Promise<T>): Promise<T> {
    return this.#write((leased) => this.#engine.write(leased), work);
  }

  /**
   * As {@link transaction}, for work that changes records of one device, and counts it in its deployments. Transactions
   * of other devices run at the same time.
   */
  deviceTransaction<T>(deviceId: string, work: (records: Records) => Promise<T>): Promise<T> {
    return this.#write((leased) => this.#engine.writeOf(deviceId, leased), work);
  }

  async #write<T>(
    run: (work: (db: Kysely<Schema>) => Promise<T>) => Promise<T>,
    work: (records: Records) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw new Error("the records are closed");
    let afterCommit: AfterCommit | undefined;
    const result = await run((db) => {
      const records = new Records(db);
      afterCommit = records.afterCommit;
      return work(records);
    });
    this.#foldSometimes();
    // What a server that ends leaves undone is found by housekeeping.
    for (const task of afterCommit?.tasks ?? []) if (!this.#closed) await task(this);
    return result;
  }

  /**
   * Adds what was counted to its rows, and numbers events: when this resolves, all that were committed before it began
   * have their numbers.
   */
  async fold(): Promise<void> {
    if (this.#closed) throw new Error("the records are closed");
    await this.#fold();
  }

  async #fold(): Promise<void> {
    await this.#engine.fold?.((db) => new Records(db).fold());
  }

  /** Bounds what a reader has to add. */
  #foldSometimes(): void {
    this.#unfolded += 1;
    if (this.#unfolded < FOLDED_EVERY || this.#engine.fold === undefined || this.#folding !== undefined) return;
    this.#unfolded = 0;
    this.#folding = this.#fold()
      .catch((error: unknown) => this.#logger?.error("adding up what was counted failed; it is tried again", { error }))
      .finally(() => {
        this.#folding = undefined;
      });
  }

  /** Transactions that the database gave up, because of a deadlock for instance, and that were run again. */
  get retries(): number {
    return this.#engine.retries;
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
    await this.#folding;
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
  await engine.migrate(async (db, schema) => {
    const { error } = await new Migrator({
      db,
      provider: migrations,
      ...given({ migrationTableSchema: schema }),
    }).migrateToLatest();
    if (error === undefined) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the database cannot be brought up to date: ${reason}`, { cause: error });
  });
}
