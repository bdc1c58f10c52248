import { isSystemError } from "./errors.ts";
import type { Files } from "./files.ts";

/** Suffix of the new file until it is complete. */
const UNFINISHED = ".new";

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/**
 * Replaces a file so that a power cut at any instant leaves either the old or the new content: write beside it, sync,
 * rename, sync the directory. When it resolves, the new content is durable.
 */
export async function replaceFile(
  files: Files,
  path: string,
  data: Uint8Array | string,
  permissions = 0o600,
): Promise<void> {
  const unfinished = path + UNFINISHED;
  const handle = await files.open(unfinished, "write", permissions);
  try {
    try {
      await handle.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(unfinished, path);
  } catch (error) {
    await removeUnfinished(files, unfinished);
    throw error;
  }
  await files.syncDirectory(directoryOf(path));
}

/** On a full disk, an unfinished file would occupy the space that the next try needs. */
async function removeUnfinished(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    // The next try truncates the file; the error to report is the first one.
    if (!isSystemError(error)) throw error;
  }
}

/** Removes a file or tree, durably. No error if it does not exist. */
export async function removeDurably(files: Files, path: string): Promise<void> {
  if ((await files.status(path)) === undefined) return;
  await files.remove(path);
  await files.syncDirectory(directoryOf(path));
}

/** Make a directory (and its parents) whose name survives a power cut. Of a link to a missing directory, the target. */
export async function createDirectoryDurably(files: Files, path: string, permissions = 0o755): Promise<void> {
  if ((await files.status(path)) !== undefined) return;
  const parent = directoryOf(path);
  const target = await files.readLink(path);
  if (target !== undefined) {
    return await createDirectoryDurably(files, target.startsWith("/") ? target : `${parent}/${target}`, permissions);
  }
  if (parent !== path) await createDirectoryDurably(files, parent, 0o755);
  await files.makeDirectory(path, permissions);
  await files.syncDirectory(parent);
}
