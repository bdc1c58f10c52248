import SqliteDatabase from "better-sqlite3";
import { databasePath } from "./sqlite.ts";

/** An artifact whose bytes belong to the records. */
export interface RecordedArtifact {
  readonly id: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Copies all pages in one step: a copy in several steps restarts at each write. */
const ALL_PAGES = 0x7fffffff;

/**
 * Copies a consistent state of the records of a data directory to a file, also while a server writes.
 * @param path A new file. It is not synced.
 */
export async function copyRecords(directory: string, path: string): Promise<void> {
  const source = new SqliteDatabase(databasePath(directory), { readonly: true, fileMustExist: true });
  try {
    await source.backup(path, { progress: () => ALL_PAGES });
  } finally {
    source.close();
  }
}

/**
 * The artifacts in a copy of the records.
 * @throws Error if the copy is damaged.
 */
export function artifactsInCopy(path: string): readonly RecordedArtifact[] {
  const copy = new SqliteDatabase(path, { readonly: true, fileMustExist: true });
  try {
    const verdict: unknown = copy.pragma("integrity_check(1)", { simple: true });
    if (verdict !== "ok") throw new Error(`the records are damaged: ${String(verdict)}`);
    return copy
      .prepare<[], RecordedArtifact>(
        "select id, size_bytes as sizeBytes, sha256 from artifacts where removed_ms is null order by id",
      )
      .all();
  } finally {
    copy.close();
  }
}
