import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** Work on the records, all or nothing. The engine may run it again. */
export type Work<T> = (db: Kysely<Schema>) => Promise<T>;

/** A database engine for the records. */
export interface RecordsEngine {
  /**
   * Bring the tables up to date, before anything else is done. If it fails, or the server is killed, they stay as they
   * were.
   * @param work Gets the name space that holds the tables, where a database has several.
   */
  migrate<T>(work: (db: Kysely<Schema>, tableSchema: string | undefined) => Promise<T>): Promise<T>;
  /**
   * Read and write. Such a transaction excludes every other transaction that writes, in all processes that share the
   * database. Durable when it resolves.
   */
  write<T>(work: Work<T>): Promise<T>;
  /**
   * Read and write, for one device: as `write`, but other devices are not excluded. They may commit between two
   * statements of the work, which sees that.
   */
  writeOf<T>(deviceId: string, work: Work<T>): Promise<T>;
  /**
   * Read and write: excludes `write` and itself, and no device. Absent: the engine never has transactions of several
   * devices at once.
   */
  readonly fold?: (work: Work<void>) => Promise<void>;
  /** Transactions that the database gave up, because of a deadlock for instance, and that were run again. */
  readonly retries: number;
  /** Read: all statements see the same state, which is durable when it resolves. */
  read<T>(work: Work<T>): Promise<T>;
  /** As `read`, for work that is a single statement: it sees one state without a transaction. */
  readOne<T>(work: Work<T>): Promise<T>;
  /**
   * Synchronous `read`. `work` uses synchronous statements only.
   * @returns `undefined` if the caller must use `read`: the engine is busy, or has no synchronous statements.
   */
  readSync<T extends object>(
    work: (db: Kysely<Schema>) => T | undefined,
  ): { readonly found: T | undefined } | undefined;
  /** Waits for running and queued work. */
  close(): Promise<void>;
}
