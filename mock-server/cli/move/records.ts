import { type Files, readTextFile, removeDurably, replaceFile } from "@upkeep/shared/system";
import {
  copyAllRecords,
  DATABASE_FILE,
  type Engine,
  identityOfRecords,
  MovingError,
  Storage,
  type TableSummary,
  writeClaim,
} from "../../storage/index.ts";
import { CommandError } from "../failure.ts";
import { openRecordsAt, secretOf } from "./source.ts";

/** Marks a data directory whose records are being moved: the target has a part of them. */
const INTENTION_FILE = "moving.json";
const INTENTION_BYTES_MAX = 4096;
/** In the data directory: a database that is being written. */
const UNFINISHED_DIRECTORY = "moving";
/** New name of the database in a data directory whose records are in PostgreSQL. */
export const MOVED_SUFFIX = ".moved";

/** Target of the records: the data directory's database, or PostgreSQL. */
export type RecordsTarget = { readonly engine: "sqlite" } | { readonly engine: "postgres"; readonly url: string };

/**
 * Move the records of a data directory to another engine. The directory's claim says where they are: until it is
 * rewritten they are where they were, and an interrupted move starts over.
 * @throws CommandError if the target is not empty, or cannot keep the records as they are.
 */
export async function moveRecords(
  files: Files,
  directory: string,
  source: Storage,
  target: RecordsTarget,
): Promise<readonly TableSummary[]> {
  const records = identityOfRecords({ linkSecret: await secretOf(source) });
  const interrupted = await wasInterrupted(files, directory, target.engine, records);
  const intention = JSON.stringify({ to: target.engine, records });
  if (target.engine === "sqlite") await makeRoom(files, directory, interrupted);
  await replaceFile(files, `${directory}/${INTENTION_FILE}`, `${intention}\n`, 0o600);
  const summaries =
    target.engine === "sqlite"
      ? await intoFile(files, directory, source)
      : await intoDatabase(files, source, target.url, interrupted ? records : undefined);
  await source.close();
  await writeClaim(files, directory, { records, engine: target.engine });
  if (target.engine === "postgres") await putAside(files, directory);
  await removeDurably(files, `${directory}/${INTENTION_FILE}`);
  return summaries;
}

async function wasInterrupted(files: Files, directory: string, to: Engine, records: string): Promise<boolean> {
  const text = await readTextFile(files, `${directory}/${INTENTION_FILE}`, INTENTION_BYTES_MAX);
  return text?.trim() === JSON.stringify({ to, records });
}

/** @throws CommandError */
async function makeRoom(files: Files, directory: string, interrupted: boolean): Promise<void> {
  const path = `${directory}/${DATABASE_FILE}`;
  if ((await files.status(path)) !== undefined) {
    if (!interrupted) throw new CommandError(`--to-database sqlite: ${path} is there already: move it away`);
    for (const suffix of ["", "-wal", "-shm"]) await files.remove(path + suffix);
  }
  await removeDurably(files, `${directory}/${UNFINISHED_DIRECTORY}`);
}

async function intoFile(files: Files, directory: string, source: Storage): Promise<readonly TableSummary[]> {
  const unfinished = `${directory}/${UNFINISHED_DIRECTORY}`;
  await files.makeDirectory(unfinished, 0o700);
  const target = await Storage.open({ directory: unfinished }, files);
  let summaries: readonly TableSummary[];
  try {
    summaries = await copied(source, target, "sqlite");
  } finally {
    await target.close();
  }
  await files.rename(`${unfinished}/${DATABASE_FILE}`, `${directory}/${DATABASE_FILE}`);
  await files.syncDirectory(directory);
  await removeDurably(files, unfinished);
  return summaries;
}

/** @param mine The records that an interrupted move may have left there. */
async function intoDatabase(
  files: Files,
  source: Storage,
  url: string,
  mine: string | undefined,
): Promise<readonly TableSummary[]> {
  const target = await openRecordsAt(files, { url }, "--to-database");
  try {
    const secret = await target.read(({ secrets }) => secrets.find("download-links"));
    const left = secret === undefined ? undefined : identityOfRecords({ linkSecret: Buffer.from(secret, "base64") });
    return await copied(source, target, "postgres", mine !== undefined && left === mine);
  } finally {
    await target.close();
  }
}

async function copied(
  source: Storage,
  target: Storage,
  name: string,
  replace = false,
): Promise<readonly TableSummary[]> {
  try {
    return await copyAllRecords(source, target, { replace });
  } catch (error) {
    if (!(error instanceof MovingError)) throw error;
    throw new CommandError(`--to-database${name === "sqlite" ? " sqlite" : ""}: ${error.message}; nothing was moved`);
  }
}

/** A server that is started without --database must not find them. */
async function putAside(files: Files, directory: string): Promise<void> {
  const path = `${directory}/${DATABASE_FILE}`;
  await files.rename(path, path + MOVED_SUFFIX);
  await files.syncDirectory(directory);
}
