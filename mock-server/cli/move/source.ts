import type { Files } from "@upkeep/shared/system";
import type { RecordedArtifact } from "../../storage/backup.ts";
import { DATABASE_FILE, Storage, type StorageLocation } from "../../storage/index.ts";
import { openOrExplain } from "../explaining.ts";
import { CommandError } from "../failure.ts";

/** @throws CommandError that names the option or the file, and not a URL, which may hold a password. */
export function openRecordsAt(files: Files, location: StorageLocation, what: string): Promise<Storage> {
  const directory = "directory" in location ? { files, path: location.directory } : undefined;
  return openOrExplain(what, () => Storage.open(location, files), directory);
}

/** The records of a data directory, where its server has them. @throws CommandError */
export async function openSource(files: Files, directory: string, url: string | undefined): Promise<Storage> {
  if (url !== undefined) return await openRecordsAt(files, { url }, "--database");
  if ((await files.status(`${directory}/${DATABASE_FILE}`)) === undefined) {
    throw new CommandError(`--data ${directory}: there is no ${DATABASE_FILE}, so this is no server's data directory`);
  }
  return await openRecordsAt(files, { directory }, `${directory}/${DATABASE_FILE}`);
}

/** The key that names the records. @throws CommandError if no server has ever used them. */
export async function secretOf(storage: Storage): Promise<Uint8Array> {
  const secret = await storage.read(({ secrets }) => secrets.find("download-links"));
  if (secret === undefined) throw new CommandError("the records are empty: no server has used them yet");
  return Buffer.from(secret, "base64");
}

export async function artifactsOf(storage: Storage): Promise<readonly RecordedArtifact[]> {
  const { items } = await storage.read(({ artifacts }) => artifacts.list({}, { by: "name", order: "asc" }));
  return items.map(({ id, sizeBytes, sha256 }) => ({ id, sizeBytes, sha256 }));
}
