import type { Logger } from "@upkeep/shared/logging";
import type { FileHandle, Files } from "@upkeep/shared/system";
import type { Database } from "better-sqlite3";
import type { Kysely } from "kysely";
import type { Workers } from "../../system/worker-ports.ts";
import { createPrivateFile, makePrivate } from "../private-files.ts";
import type { Schema } from "../schema.ts";
import { databasePath, openSqlite, openSqliteReader, type Pace } from "../sqlite.ts";
import { recordsOver } from "./dialect.ts";
import type { Engine, Work } from "./engine.ts";
import { GroupedWrites, type GroupPort } from "./groups.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { Checkpoints } from "./sqlite-checkpoints.ts";
import { SQLITE, SqliteConnection } from "./sqlite-connection.ts";

/** Reads that come one after the other keep everybody else waiting for so long at most, in milliseconds. */
const AT_A_STRETCH_MS = 10;

const UNDONE = "the database has undone the transaction";

/** One SQLite database, which only this process writes to. */
export async function openSqliteEngine(
  location:
    | { readonly directory: string; readonly files: Files; readonly workers?: Workers; readonly pace?: Pace }
    | { readonly memory: true },
  logger?: Pick<Logger, "error">,
): Promise<Engine> {
  if ("memory" in location) return new MemoryEngine();
  const path = databasePath(location.directory);
  // The write-ahead log and its index take over the permissions of the database.
  await createPrivateFile(location.files, path);
  for (const suffix of ["-wal", "-shm"]) await makePrivate(location.files, path + suffix);
  const sqlite = openSqlite(path);
  let log: FileHandle | undefined;
  try {
    // The write-ahead log is there as soon as the database was read; it stays while it is open.
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

/** The connection that writes. */
class Writer implements GroupPort {
  readonly records: Kysely<Schema>;
  readonly #sqlite: Database;
  readonly #log: FileHandle;
  readonly #changes: () => number;
  #changesBefore = 0;
  /** What made the database undo the transaction. */
  #undoneBy: unknown;

  constructor(sqlite: Database, log: FileHandle) {
    this.#sqlite = sqlite;
    this.#log = log;
    this.records = recordsOver(new SqliteConnection(sqlite), SQLITE);
    const changes = sqlite.prepare<[], number>("select total_changes()").pluck();
    this.#changes = () => changes.get() ?? 0;
  }

  async begin(): Promise<void> {
    this.#changesBefore = this.#changes();
    this.#undoneBy = undefined;
    // The write lock at once: another process cannot come between what is read and what is written.
    this.#sqlite.exec("begin immediate");
  }

  async attempt<T>(work: Work<T>): Promise<T> {
    // A full disk makes SQLite roll back by itself: a savepoint would begin a transaction of its own.
    if (!this.#sqlite.inTransaction) throw new Error(UNDONE, { cause: this.#undoneBy });
    this.#sqlite.exec("savepoint attempt");
    try {
      const result = await work(this.records);
      this.#sqlite.exec("release attempt");
      return result;
    } catch (error) {
      if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback to attempt; release attempt");
      else this.#undoneBy ??= error;
      throw error;
    }
  }

  async commit(): Promise<void> {
    if (!this.#sqlite.inTransaction) throw new Error(UNDONE, { cause: this.#undoneBy });
    this.#sqlite.exec("commit");
  }

  async rollback(): Promise<void> {
    if (this.#sqlite.inTransaction) this.#sqlite.exec("rollback");
  }

  async sync(): Promise<void> {
    if (this.changed > 0) await this.#log.sync();
  }

  /** How many rows the last transaction has changed. */
  get changed(): number {
    return this.#changes() - this.#changesBefore;
  }

  async close(): Promise<void> {
    await this.#log.close();
    if (this.#sqlite.open) this.#sqlite.close();
  }
}

/** A database in a file: reads have a connection of their own, and see what was committed. */
class FileEngine implements Engine {
  readonly #writer: Writer;
  readonly #writes: GroupedWrites;
  readonly #reader: Database;
  readonly #records: Kysely<Schema>;
  readonly #begin: () => void;
  readonly #end: () => void;
  /** The reader goes on seeing what it saw: nothing was committed since. */
  #holding = false;
  /** The reads one after the other: each has the connection for itself. */
  #reading: Promise<unknown> | undefined;

  readonly #checkpoints: Checkpoints | undefined;

  readonly #pace: Pace | undefined;
  /** How long reads took since others last had their turn. */
  #stretchMs = 0;

  constructor(writer: Writer, reader: Database, checkpoints: Checkpoints | undefined, pace: Pace | undefined) {
    this.#pace = pace;
    this.#writer = writer;
    this.#writes = new GroupedWrites({
      begin: () => writer.begin(),
      attempt: (work) => writer.attempt(work),
      commit: async () => {
        await checkpoints?.room();
        this.#letGo();
        await writer.commit();
        checkpoints?.committed(writer.changed);
      },
      rollback: () => writer.rollback(),
      sync: () => writer.sync(),
    });
    this.#checkpoints = checkpoints;
    this.#reader = reader;
    this.#records = recordsOver(new SqliteConnection(reader), SQLITE);
    const begin = reader.prepare("begin");
    const end = reader.prepare("rollback");
    this.#begin = () => begin.run();
    this.#end = () => end.run();
  }

  migrate<T>(work: (db: Kysely<Schema>, tableSchema: undefined) => Promise<T>): Promise<T> {
    return work(this.#writer.records, undefined);
  }

  write<T>(work: Work<T>): Promise<T> {
    return this.#writes.run(work);
  }

  async read<T>(work: Work<T>): Promise<T> {
    const pace = this.#pace;
    if (pace === undefined) return await this.#inTurn(() => this.#look(work));
    // Reads complete synchronously: without this, a caller in a loop would starve the event loop.
    if (this.#stretchMs >= AT_A_STRETCH_MS) {
      this.#stretchMs = 0;
      await pace.timers.sleep(0);
    }
    return await this.#inTurn(async () => {
      const start = pace.clock.monotonic();
      try {
        return await this.#look(work);
      } finally {
        this.#stretchMs += pace.clock.monotonic() - start;
      }
    });
  }

  readOne<T>(work: Work<T>): Promise<T> {
    return this.#inTurn(() => work(this.#records));
  }

  /** @returns What `look` does, once it can be told. */
  async #inTurn<T>(look: () => Promise<T>): Promise<T> {
    this.#letGo();
    const before = this.#reading;
    const mine = before === undefined ? look() : before.then(look);
    // The next one does not care how this one ends.
    const over: Promise<void> = mine.then(
      () => this.#isOver(over),
      () => this.#isOver(over),
    );
    this.#reading = over;
    const result = await mine;
    await this.#writes.durable();
    return result;
  }

  /** What one looks at without waiting is one state from one commit to the next: that is one transaction. */
  readSync<T extends object>(
    work: (db: Kysely<Schema>) => T | undefined,
  ): { readonly found: T | undefined } | undefined {
    if (this.#reading !== undefined || !this.#writes.isDurable) return undefined;
    if (!this.#holding) this.#begin();
    this.#holding = true;
    return { found: work(this.#records) };
  }

  #letGo(): void {
    if (this.#holding) this.#end();
    this.#holding = false;
  }

  #isOver(reading: Promise<void>): void {
    if (this.#reading === reading) this.#reading = undefined;
  }

  async #look<T>(work: Work<T>): Promise<T> {
    this.#begin();
    try {
      return await work(this.#records);
    } finally {
      this.#end();
    }
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    while (this.#reading !== undefined) await this.#reading;
    this.#letGo();
    await this.#checkpoints?.close();
    this.#reader.close();
    await this.#writer.close();
  }
}
