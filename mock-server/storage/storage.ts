import type { Database as SqliteDatabase } from "better-sqlite3";
import { Kysely, Migrator, SqliteDialect } from "kysely";
import { migrations } from "./migrations/index.ts";
import { Records } from "./records.ts";
import type { Schema } from "./schema.ts";
import { openSqlite, type StorageLocation } from "./sqlite.ts";

/**
 * The records.
 *
 * INVARIANTS
 * - One transaction at a time: it holds the only connection until it has ended, so that no other
 *   read or write of this process comes between its statements or sees what is not committed.
 * - When `transaction()` resolves, what it wrote survives a power cut (WAL, synchronous=FULL).
 * - Records are good only inside the call they were given to.
 */
export class Storage {
  readonly #sqlite: SqliteDatabase;
  readonly #database: Kysely<Schema>;

  private constructor(sqlite: SqliteDatabase) {
    this.#sqlite = sqlite;
    this.#database = new Kysely<Schema>({ dialect: new SqliteDialect({ database: sqlite }) });
  }

  /** Open the records, and bring tables of an older version up to date. */
  static async open(location: StorageLocation): Promise<Storage> {
    const storage = new Storage(openSqlite(location));
    try {
      await storage.#migrate();
    } catch (error) {
      await storage.close();
      throw error;
    }
    return storage;
  }

  async #migrate(): Promise<void> {
    const { error } = await new Migrator({ db: this.#database, provider: migrations }).migrateToLatest();
    if (error === undefined) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the database cannot be brought up to date: ${reason}`, { cause: error });
  }

  /** Read and write, all or nothing. If `work` rejects, nothing of it remains. */
  transaction<T>(work: (records: Records) => Promise<T>): Promise<T> {
    return this.#database.connection().execute(async (connection) => {
      // The write lock at once: another process cannot come between what is read and what is written.
      this.#sqlite.exec("begin immediate");
      try {
        const result = await work(new Records(connection));
        this.#sqlite.exec("commit");
        return result;
      } catch (error) {
        // A full disk makes SQLite roll back by itself.
        if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback");
        throw error;
      }
    });
  }

  /** Read. All statements see the same state. */
  read<T>(work: (records: Records) => Promise<T>): Promise<T> {
    return this.#database.connection().execute(async (connection) => {
      this.#sqlite.exec("begin");
      try {
        return await work(new Records(connection));
      } finally {
        if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback");
      }
    });
  }

  /** Waits for what is under way, and for what waits for it. */
  async close(): Promise<void> {
    await this.#database.connection().execute(() => Promise.resolve());
    await this.#database.destroy();
    if (this.#sqlite.open) this.#sqlite.close();
  }
}
