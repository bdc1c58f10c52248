import type { Logger } from "@upkeep/shared/logging";
import type { FileHandle, Files } from "@upkeep/shared/system";
import type { Database } from "better-sqlite3";
import { type Kysely, sql } from "kysely";
import type { Workers } from "../../system/worker-ports.ts";
import { createPrivateFile, makePrivate } from "../private-files.ts";
import type { Schema } from "../schema.ts";
import { databasePath, openSqlite, openSqliteReader, type Pace } from "../sqlite.ts";
import { recordsOver } from "./dialect.ts";
import { GroupCommit, type GroupCommitPort } from "./group-commit.ts";
import { LeasedRecords } from "./lease.ts";
import { MemoryEngine } from "./memory-engine.ts";
import type { RecordsEngine, Work } from "./records-engine.ts";
import { Checkpoints } from "./sqlite-checkpoints.ts";
import { SQLITE, SQLITE_RECORDS, SqliteConnection } from "./sqlite-connection.ts";

/** Consecutive reads yield to the event loop after this many milliseconds. */
const YIELD_AFTER_MS = 10;

const ROLLED_BACK = "the database has rolled back the transaction";

/** One SQLite database, which only this process writes to. */
export async function openSqliteEngine(
  location:
    | { readonly directory: string; readonly files: Files; readonly workers?: Workers; readonly pace?: Pace }
    | { readonly memory: true },
  logger?: Pick<Logger, "error">,
): Promise<RecordsEngine> {
  if ("memory" in location) return new MemoryEngine();
  const path = databasePath(location.directory);
  // SQLite gives the write-ahead log and its index the permissions of the database.
  await createPrivateFile(location.files, path);
  for (const suffix of ["-wal", "-shm"]) await makePrivate(location.files, path + suffix);
  const sqlite = openSqlite(path);
  let log: FileHandle | undefined;
  try {
    // Reading creates the write-ahead log, which exists as long as the database is open.
    sqlite.pragma("user_version");
    await location.files.syncDirectory(location.directory);
    log = await location.files.open(`${path}-wal`, "update");
    const checkpoints =
      location.workers === undefined ? undefined : new Checkpoints(sqlite, path, location.workers, logger);
    return new FileEngine(new Writer(sqlite, log), openSqliteReader(path), checkpoints, location.pace);
  } catch (error) {
    await log?.close();
    sqlite.close();
    throw error;
  }
}

/**
 * Changes tables in one transaction, which Kysely does not on SQLite: what a server that is killed meanwhile leaves are
 * the tables of before.
 */
async function migrateAtOnce<T>(db: Kysely<Schema>, work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
  // A setting of the connection, which has no effect inside a transaction. Tables are replaced that others refer to.
  await sql`pragma foreign_keys = off`.execute(db);
  await sql`begin immediate`.execute(db);
  try {
    const done = await work(db);
    await sql`commit`.execute(db);
    return done;
  } catch (error) {
    await sql`rollback`.execute(db);
    throw error;
  } finally {
    await sql`pragma foreign_keys = on`.execute(db);
  }
}

/** The connection that writes. */
class Writer implements GroupCommitPort {
  /** Without a lease. */
  readonly records: Kysely<Schema>;
  readonly #leased: LeasedRecords;
  readonly #sqlite: Database;
  readonly #log: FileHandle;
  readonly #changes: () => number;
  #changesBefore = 0;
  /** The error with which SQLite rolled the transaction back. */
  #rolledBackBy: unknown;

  constructor(sqlite: Database, log: FileHandle) {
    this.#sqlite = sqlite;
    this.#log = log;
    const connection = new SqliteConnection(sqlite);
    this.records = recordsOver(connection, SQLITE);
    this.#leased = new LeasedRecords(connection, SQLITE_RECORDS);
    const changes = sqlite.prepare<[], number>("select total_changes()").pluck();
    this.#changes = () => changes.get() ?? 0;
  }

  async begin(): Promise<void> {
    this.#changesBefore = this.#changes();
    this.#rolledBackBy = undefined;
    // Takes the write lock at once, so that no other process writes between a read and a write.
    this.#sqlite.exec("begin immediate");
  }

  async attempt<T>(work: Work<T>): Promise<T> {
    // SQLite itself rolls back when the disk is full; a savepoint would then begin a new transaction.
    if (!this.#sqlite.inTransaction) throw new Error(ROLLED_BACK, { cause: this.#rolledBackBy });
    this.#sqlite.exec("savepoint attempt");
    try {
      const result = await this.#leased.lend(work);
      this.#sqlite.exec("release attempt");
      return result;
    } catch (error) {
      if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback to attempt; release attempt");
      else this.#rolledBackBy ??= error;
      throw error;
    }
  }

  async commit(): Promise<void> {
    if (!this.#sqlite.inTransaction) throw new Error(ROLLED_BACK, { cause: this.#rolledBackBy });
    this.#sqlite.exec("commit");
  }

  async rollback(): Promise<void> {
    if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback");
  }

  async sync(): Promise<void> {
    if (this.changed > 0) await this.#log.sync();
  }

  /** The number of rows that the last transaction changed. */
  get changed(): number {
    return this.#changes() - this.#changesBefore;
  }

  async close(): Promise<void> {
    await this.#log.close();
    if (this.#sqlite.open) this.#sqlite.close();
  }
}

/** A database in a file. Reads use their own connection and see committed data only. */
class FileEngine implements RecordsEngine {
  readonly retries = 0;
  readonly #writer: Writer;
  readonly #writes: GroupCommit;
  readonly #reader: Database;
  readonly #records: LeasedRecords;
  readonly #begin: () => void;
  readonly #end: () => void;
  /** Synchronous reads share this read transaction until the next commit. */
  #snapshotOpen = false;
  /** The last read that is running or queued: reads use the connection serially. */
  #reading: Promise<unknown> | undefined;

  readonly #checkpoints: Checkpoints | undefined;

  readonly #pace: Pace | undefined;
  /** The time spent in reads since the last yield to the event loop. */
  #readingMs = 0;

  constructor(writer: Writer, reader: Database, checkpoints: Checkpoints | undefined, pace: Pace | undefined) {
    this.#pace = pace;
    this.#writer = writer;
    this.#writes = new GroupCommit({
      begin: () => writer.begin(),
      attempt: (work) => writer.attempt(work),
      commit: async () => {
        await checkpoints?.room();
        this.#closeSnapshot();
        await writer.commit();
        checkpoints?.committed(writer.changed);
      },
      rollback: () => writer.rollback(),
      sync: () => writer.sync(),
    });
    this.#checkpoints = checkpoints;
    this.#reader = reader;
    this.#records = new LeasedRecords(new SqliteConnection(reader), SQLITE_RECORDS);
    const begin = reader.prepare("begin");
    const end = reader.prepare("rollback");
    this.#begin = () => begin.run();
    this.#end = () => end.run();
  }

  migrate<T>(work: (db: Kysely<Schema>, tableSchema: undefined) => Promise<T>): Promise<T> {
    return migrateAtOnce(this.#writer.records, (db) => work(db, undefined));
  }

  /** There is one writer. */
  writeOf<T>(_deviceId: string, work: Work<T>): Promise<T> {
    return this.write(work);
  }

  write<T>(work: Work<T>): Promise<T> {
    return this.#writes.run(work);
  }

  async read<T>(work: Work<T>): Promise<T> {
    const pace = this.#pace;
    if (pace === undefined) return await this.#serially(() => this.#readSnapshot(work));
    // Reads complete synchronously: without a yield, a caller in a loop would starve the event loop.
    if (this.#readingMs >= YIELD_AFTER_MS) {
      this.#readingMs = 0;
      await pace.timers.sleep(0);
    }
    return await this.#serially(async () => {
      const start = pace.clock.monotonic();
      try {
        return await this.#readSnapshot(work);
      } finally {
        this.#readingMs += pace.clock.monotonic() - start;
      }
    });
  }

  readOne<T>(work: Work<T>): Promise<T> {
    return this.#serially(() => this.#records.lend(work));
  }

  /** Runs reads serially; resolves when everything that was read is durable. */
  async #serially<T>(read: () => Promise<T>): Promise<T> {
    this.#closeSnapshot();
    const before = this.#reading;
    const mine = before === undefined ? read() : before.then(read);
    // A failure does not affect the next read.
    const over: Promise<void> = mine.then(
      () => this.#finished(over),
      () => this.#finished(over),
    );
    this.#reading = over;
    const result = await mine;
    await this.#writes.durable();
    return result;
  }

  /** Synchronous reads between two commits see the same state, so they share one transaction. */
  readSync<T extends object>(
    work: (db: Kysely<Schema>) => T | undefined,
  ): { readonly found: T | undefined } | undefined {
    if (this.#reading !== undefined || !this.#writes.isDurable) return undefined;
    if (!this.#snapshotOpen) this.#begin();
    this.#snapshotOpen = true;
    return { found: this.#records.lendSync(work) };
  }

  #closeSnapshot(): void {
    if (this.#snapshotOpen) this.#end();
    this.#snapshotOpen = false;
  }

  #finished(reading: Promise<void>): void {
    if (this.#reading === reading) this.#reading = undefined;
  }

  async #readSnapshot<T>(work: Work<T>): Promise<T> {
    this.#begin();
    try {
      return await this.#records.lend(work);
    } finally {
      this.#end();
    }
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    while (this.#reading !== undefined) await this.#reading;
    this.#closeSnapshot();
    await this.#checkpoints?.close();
    this.#reader.close();
    await this.#writer.close();
  }
}
