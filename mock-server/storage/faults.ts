import { isSystemError } from "@upkeep/shared/system";
import SqliteDatabase from "better-sqlite3";
import { DatabaseError } from "pg";

/** Why the records or the artifacts cannot be read or written. */
export type StorageFaultKind = "full" | "read-only" | "unreachable" | "failing" | "not-a-database" | "unsuitable";

export interface StorageFault {
  readonly kind: StorageFaultKind;
  /** The message of the system or the database. */
  readonly reason: string;
}

/** The storage cannot be used; the request may be valid. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly kind: StorageFaultKind;

  constructor(kind: StorageFaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

const SYSTEM: Readonly<Record<string, StorageFaultKind>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EROFS: "read-only",
  EIO: "failing",
};

/** By the beginning of SQLite's extended code. */
const SQLITE: readonly (readonly [code: string, kind: StorageFaultKind])[] = [
  ["SQLITE_FULL", "full"],
  ["SQLITE_READONLY", "read-only"],
  ["SQLITE_IOERR", "failing"],
  ["SQLITE_CANTOPEN", "failing"],
  ["SQLITE_CORRUPT", "failing"],
  ["SQLITE_NOTADB", "not-a-database"],
];

/** By the beginning of PostgreSQL's SQLSTATE. */
const POSTGRES: readonly (readonly [code: string, kind: StorageFaultKind])[] = [
  ["53100", "full"],
  ["53", "unreachable"],
  ["57P", "unreachable"],
  ["08", "unreachable"],
  ["25006", "read-only"],
  // A transaction that another process waited for too long, and one that waited too long itself.
  ["25P03", "failing"],
  ["55P03", "failing"],
  ["58", "failing"],
];

const CONNECTION =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN)$/;
/** Errors of the driver that have no code. */
const CONNECTION_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered|Client was closed|Query read timeout)/;

/** The storage fault that caused an error; `undefined` if none did. */
export function storageFaultOf(error: unknown): StorageFault | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const kind = kindOf(cause);
    if (kind !== undefined) return { kind, reason: cause.message };
  }
  return undefined;
}

function kindOf(error: Error): StorageFaultKind | undefined {
  if (error instanceof StorageError) return error.kind;
  if (isSystemError(error)) return SYSTEM[error.code];
  if (error instanceof SqliteDatabase.SqliteError) return match(SQLITE, error.code);
  if (error instanceof DatabaseError) return match(POSTGRES, error.code ?? "");
  return undefined;
}

function match(
  kinds: readonly (readonly [code: string, kind: StorageFaultKind])[],
  code: string,
): StorageFaultKind | undefined {
  return kinds.find(([beginning]) => code.startsWith(beginning))?.[1];
}

/** Turns connection errors of the PostgreSQL driver into storage errors; other errors stay as they are. */
export function connectionFault(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (!CONNECTION.test(code) && !CONNECTION_MESSAGE.test(error.message)) return error;
  return new StorageError("unreachable", error.message === "" ? code : error.message, { cause: error });
}
