import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";

/** Where the records are kept. A directory must exist; memory is gone when the storage is closed. */
export type StorageLocation = { readonly directory: string } | { readonly memory: true };

/** Name of the database inside the data directory. */
export const DATABASE_FILE = "upkeep.sqlite";

/** How long to wait, in milliseconds, while another process (a backup) holds the database. */
const BUSY_TIMEOUT_MS = 5000;

/** Open the database so that what it has committed survives a power cut. */
export function openSqlite(location: StorageLocation): SqliteDatabase.Database {
  const sqlite = new SqliteDatabase("directory" in location ? join(location.directory, DATABASE_FILE) : ":memory:");
  try {
    sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    sqlite.pragma("journal_mode = WAL");
    sqlite.pragma("synchronous = FULL");
    sqlite.pragma("foreign_keys = ON");
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}
