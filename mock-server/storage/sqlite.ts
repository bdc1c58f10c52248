import { join } from "node:path";
import type { System } from "@upkeep/shared/system";
import SqliteDatabase from "better-sqlite3";
import type { Workers } from "../system/worker-ports.ts";

/** Measures how long reads keep the event loop, and yields it. */
export type Pace = Pick<System, "clock" | "timers">;

/**
 * Where the records are kept: one SQLite file in a directory that must exist; memory, gone when the storage
 * is closed; or a PostgreSQL database, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
 */
export type StorageLocation =
  | {
      readonly directory: string;
      /** Threads for slow operations; absent: these run in the main thread. */
      readonly workers?: Workers;
      /** The machine's own clock, for yielding to the event loop between many reads. Absent: no yield. */
      readonly pace?: Pace;
    }
  | {
      readonly memory: true;
      /** False: changes are not logged as events, as a simulated fleet reads none. Default: true. */
      readonly events?: boolean;
    }
  | {
      readonly url: string;
      /** How long the database may take for one statement, in milliseconds. Default: a minute. */
      readonly answerMsMax?: number;
      /** Refuse a transaction of a device that takes locks out of order. For tests. */
      readonly checksLocks?: boolean;
    };

/** Name of the database inside the data directory. */
export const DATABASE_FILE = "upkeep.sqlite";

/** How long to wait, in milliseconds, while another process (a backup) holds the database. */
const BUSY_TIMEOUT_MS = 5000;
/** The page cache, in KiB: holds the frequent pages of a large fleet. */
const CACHE_KIB = 64 * 1024;

/**
 * The page size of records in memory, in bytes. SQLite looks at each page that it holds when it commits a transaction
 * that split a page: fewer pages keep that short for a large fleet.
 */
const MEMORY_PAGE_BYTES = 16_384;

/** @param path A file, or `:memory:`. */
export function openSqlite(path: string): SqliteDatabase.Database {
  const sqlite = new SqliteDatabase(path);
  try {
    sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (path === ":memory:") sqlite.pragma(`page_size = ${MEMORY_PAGE_BYTES}`);
    sqlite.pragma("journal_mode = WAL");
    // SQLite syncs checkpoints; the engine syncs commits without blocking the program.
    sqlite.pragma("synchronous = NORMAL");
    sqlite.pragma("foreign_keys = ON");
    sqlite.pragma(`cache_size = -${CACHE_KIB}`);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Another connection to a database that is open, which cannot write. */
export function openSqliteReader(path: string): SqliteDatabase.Database {
  const sqlite = new SqliteDatabase(path, { readonly: true });
  sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  sqlite.pragma(`cache_size = -${CACHE_KIB}`);
  return sqlite;
}

export function databasePath(directory: string): string {
  return join(directory, DATABASE_FILE);
}
