import { chmodSync, closeSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { SystemError } from "@upkeep/shared/system";
import SqliteDatabase from "better-sqlite3";
import { asSystemError } from "./faults.ts";

/** Name of the file inside the data directory. It is never removed. */
const LOCK_FILE = "lock";

/** `exclusive`: one process has the directory for itself; `shared`: several processes have it together. */
export type LockMode = "exclusive" | "shared";

/** A directory that is locked by this process. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Lock a directory against other server processes, for as long as this process lives. The kernel releases
 * the lock however the process ends. (Node has no file locks; SQLite does.)
 * @param waitMs How long to wait for another process, which blocks the program.
 * @throws SystemError with code EBUSY if another process has a lock that excludes this one.
 */
export function lockDirectory(directory: string, mode: LockMode = "exclusive", waitMs = 0): DirectoryLock {
  const lock = openLockFile(join(directory, LOCK_FILE), waitMs);
  try {
    if (mode === "exclusive") {
      lock.pragma("locking_mode = EXCLUSIVE");
      lock.exec("BEGIN EXCLUSIVE");
    } else {
      // A read transaction keeps SQLite's shared lock until it ends.
      lock.exec("BEGIN");
      lock.prepare("select count(*) from sqlite_schema").get();
    }
  } catch (error) {
    lock.close();
    if (error instanceof SqliteDatabase.SqliteError && error.code.startsWith("SQLITE_BUSY")) {
      throw new SystemError("EBUSY", `another server is using ${directory}`, { cause: error });
    }
    throw asSystemError(error);
  }
  return { release: () => lock.close() };
}

function openLockFile(path: string, timeout: number): SqliteDatabase.Database {
  try {
    makePrivate(path);
    return new SqliteDatabase(path, { timeout });
  } catch (error) {
    throw asSystemError(error);
  }
}

/** A file that is there is never opened here: closing it would release this process's locks on it. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "ax", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}
