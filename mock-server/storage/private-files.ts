import { type Files, isSystemError } from "@upkeep/shared/system";

const OTHERS = 0o077;

/**
 * Creates an empty file that only its owner can read, whatever the umask. An existing file is never opened: closing it
 * would release the locks that SQLite has on it in this process.
 */
export async function createPrivateFile(files: Files, path: string): Promise<void> {
  try {
    const handle = await files.open(path, "exclusive", 0o600);
    await handle.close();
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
    await makePrivate(files, path);
  }
}

/** A file that other users could access. */
export interface ExposedFile {
  /** Its former mode. */
  readonly before: number;
  /** Why they still can, for example because the file belongs to another user. */
  readonly fault?: string;
}

/**
 * Removes the permissions of all but the owner.
 * @returns `undefined` if others had none, or there is no such file.
 */
export async function makePrivate(files: Files, path: string): Promise<ExposedFile | undefined> {
  const status = await files.status(path);
  if (status === undefined || status.kind !== "file" || (status.mode & OTHERS) === 0) return undefined;
  try {
    await files.setPermissions(path, status.mode & ~OTHERS);
    return { before: status.mode };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { before: status.mode, fault: error.message };
  }
}
