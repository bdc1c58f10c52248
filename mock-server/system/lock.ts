import { join } from "node:path";
import { SystemError } from "@upkeep/shared/system";
import SqliteDatabase from "better-sqlite3";
import { asSystemError } from "./faults.ts";

/** Name of the file inside the data directory. It is never removed. */
const LOCK_FILE = "lock";

/** A directory that only this process uses. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Lock a directory against other server processes, for as long as this process lives. The kernel lets go
 * of the lock however the process ends. (Node has no file locks; SQLite does.)
 * @throws SystemError with code EBUSY if another process has it.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const lock = openLockFile(join(directory, LOCK_FILE));
  try {
    lock.pragma("locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (error instanceof SqliteDatabase.SqliteError && error.code.startsWith("SQLITE_BUSY")) {
      throw new SystemError("EBUSY", `another server is using ${directory}`, { cause: error });
    }
    throw asSystemError(error);
  }
  return { release: () => lock.close() };
}

function openLockFile(path: string): SqliteDatabase.Database {
  try {
    return new SqliteDatabase(path, { timeout: 0 });
  } catch (error) {
    throw asSystemError(error);
  }
}
