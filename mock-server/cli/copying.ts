import { createHash } from "node:crypto";
import { createDirectoryDurably, type Files, readChunks } from "@upkeep/shared/system";
import type { RecordedArtifact } from "../storage/backup.ts";
import { CERTIFICATE_FILE } from "../storage/data-layout.ts";

const UNFINISHED = ".part";

/** Written last: a backup without it is incomplete. */
export const MANIFEST_FILE = "backup.json";
/** Raised when a backup of an older server could not be restored by a newer one. */
export const MANIFEST_VERSION = 1;

/**
 * Copy a file, durable under its new name when it resolves, once its directory is synced. Only its owner can read the
 * copy, for all who can read the file.
 */
export async function copyFile(files: Files, from: string, to: string): Promise<void> {
  await files.remove(to + UNFINISHED);
  const handle = await files.open(to + UNFINISHED, "exclusive", from.endsWith(CERTIFICATE_FILE) ? 0o644 : 0o600);
  try {
    for await (const chunk of contentOf(files, from)) await handle.write(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await files.rename(to + UNFINISHED, to);
}

/** Copy the files of a directory, which need not be there. */
export async function copyDirectory(files: Files, from: string, to: string): Promise<void> {
  if ((await files.status(from)) === undefined) return;
  await createDirectoryDurably(files, to, 0o700);
  for (const { name, kind } of await files.list(from)) {
    if (kind === "file" && !name.endsWith(UNFINISHED)) await copyFile(files, `${from}/${name}`, `${to}/${name}`);
  }
  await files.syncDirectory(to);
}

/** The fault of an artifact's bytes; `undefined` if they match the records. */
export async function faultOfBytes(
  files: Files,
  path: string,
  { sizeBytes, sha256 }: RecordedArtifact,
): Promise<string | undefined> {
  const status = await files.status(path);
  if (status === undefined) return "is missing";
  if (status.sizeBytes !== sizeBytes) return `has ${status.sizeBytes} bytes, not ${sizeBytes}`;
  const hash = createHash("sha256");
  for await (const chunk of contentOf(files, path)) hash.update(chunk);
  return hash.digest("hex") === sha256 ? undefined : "is not what was uploaded";
}

async function* contentOf(files: Files, path: string): AsyncGenerator<Uint8Array> {
  const handle = await files.open(path, "read");
  try {
    yield* readChunks(handle);
  } finally {
    await handle.close();
  }
}
