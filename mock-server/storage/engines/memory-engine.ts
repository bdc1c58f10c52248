import type { Database } from "better-sqlite3";
import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import { openSqlite } from "../sqlite.ts";
import { recordsOver } from "./dialect.ts";
import { LeasedRecords } from "./lease.ts";
import type { RecordsEngine, Work } from "./records-engine.ts";
import { SQLITE, SQLITE_RECORDS, SqliteConnection } from "./sqlite-connection.ts";

/** Records in memory: one connection, used serially. Everything counts as durable. */
export class MemoryEngine implements RecordsEngine {
  readonly retries = 0;
  readonly #sqlite: Database;
  readonly #connection: SqliteConnection;
  readonly #records: LeasedRecords;
  readonly #begin: () => void;
  readonly #commit: () => void;
  readonly #rollback: () => void;
  /** The last use of the connection that is running or queued. */
  #last: Promise<unknown> | undefined;

  constructor() {
    this.#sqlite = openSqlite(":memory:");
    this.#connection = new SqliteConnection(this.#sqlite);
    this.#records = new LeasedRecords(this.#connection, SQLITE_RECORDS);
    const prepared = (sql: string): (() => void) => {
      const statement = this.#sqlite.prepare(sql);
      return () => statement.run();
    };
    this.#begin = prepared("begin");
    this.#commit = prepared("commit");
    this.#rollback = prepared("rollback");
  }

  migrate<T>(work: (db: Kysely<Schema>, tableSchema: undefined) => Promise<T>): Promise<T> {
    return work(recordsOver(this.#connection, SQLITE), undefined);
  }

  /** There is one writer. */
  writeOf<T>(_deviceId: string, work: Work<T>): Promise<T> {
    return this.write(work);
  }

  write<T>(work: Work<T>): Promise<T> {
    return this.#serially(async () => {
      this.#begin();
      try {
        const result = await this.#records.lend(work);
        this.#commit();
        return result;
      } finally {
        if (this.#sqlite.inTransaction) this.#rollback();
      }
    });
  }

  /** Rolls back: reads write nothing. */
  read<T>(work: Work<T>): Promise<T> {
    return this.#serially(async () => {
      this.#begin();
      try {
        return await this.#records.lend(work);
      } finally {
        this.#rollback();
      }
    });
  }

  readOne<T>(work: Work<T>): Promise<T> {
    return this.#serially(() => this.#records.lend(work));
  }

  readSync<T extends object>(
    work: (db: Kysely<Schema>) => T | undefined,
  ): { readonly found: T | undefined } | undefined {
    return this.#last === undefined ? { found: this.#records.lendSync(work) } : undefined;
  }

  #serially<T>(use: () => Promise<T>): Promise<T> {
    const mine = this.#last === undefined ? use() : this.#last.then(use);
    // A failure does not affect the next use.
    const over: Promise<void> = mine.then(
      () => this.#finished(over),
      () => this.#finished(over),
    );
    this.#last = over;
    return mine;
  }

  #finished(last: Promise<void>): void {
    if (this.#last === last) this.#last = undefined;
  }

  async close(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
    this.#sqlite.close();
  }
}
