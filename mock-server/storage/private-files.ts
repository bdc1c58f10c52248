import { type Files, isSystemError } from "@upkeep/shared/system";

const OTHERS = 0o077;

/**
 * Create an empty file that only its owner can read, unless there is one, whatever the umask. One that is there is
 * never opened: closing it would release the locks that SQLite has on it for this process.
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

/** A file that others had permissions for. */
export interface ExposedFile {
  /** Its mode until now. */
  readonly before: number;
  /** Why it still is, for example because it belongs to another user. */
  readonly fault?: string;
}

/**
 * Take a file's permissions from everybody but its owner.
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
