import type { Database } from "better-sqlite3";
import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import { openSqlite } from "../sqlite.ts";
import { recordsOver } from "./dialect.ts";
import type { RecordsEngine, Work } from "./records-engine.ts";
import { SQLITE, SqliteConnection } from "./sqlite-connection.ts";

/** Records in memory: one connection, used serially. Everything counts as durable. */
export class MemoryEngine implements RecordsEngine {
  readonly #sqlite: Database;
  readonly #records: Kysely<Schema>;
  readonly #begin: () => void;
  readonly #commit: () => void;
  readonly #rollback: () => void;
  /** The last use of the connection that is running or queued. */
  #last: Promise<unknown> | undefined;

  constructor() {
    this.#sqlite = openSqlite(":memory:");
    this.#records = recordsOver(new SqliteConnection(this.#sqlite), SQLITE);
    const prepared = (sql: string): (() => void) => {
      const statement = this.#sqlite.prepare(sql);
      return () => statement.run();
    };
    this.#begin = prepared("begin");
    this.#commit = prepared("commit");
    this.#rollback = prepared("rollback");
  }

  migrate<T>(work: (db: Kysely<Schema>, tableSchema: undefined) => Promise<T>): Promise<T> {
    return work(this.#records, undefined);
  }

  write<T>(work: Work<T>): Promise<T> {
    return this.#serially(async () => {
      this.#begin();
      try {
        const result = await work(this.#records);
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
        return await work(this.#records);
      } finally {
        this.#rollback();
      }
    });
  }

  readOne<T>(work: Work<T>): Promise<T> {
    return this.#serially(() => work(this.#records));
  }

  readSync<T extends object>(
    work: (db: Kysely<Schema>) => T | undefined,
  ): { readonly found: T | undefined } | undefined {
    return this.#last === undefined ? { found: work(this.#records) } : undefined;
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
