import * as fs from "node:fs";
import { release } from "node:os";
import { promisify } from "node:util";
import { synchronously, translated } from "./errors.ts";
import { startProcess } from "./processes.ts";

const fsync = promisify(fs.fsync);

/** From this number of files on, one sync of their file system takes less time than one of each file. */
const MANY = 32;

/** Older kernels do not report a failed write to who syncs a whole file system. */
function reportsFailedWrites(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

/** Node has no syncfs(2); `sync -f` is part of coreutils and of busybox. @returns False if it failed. */
async function syncFileSystem(path: string): Promise<boolean> {
  try {
    const sync = await startProcess({ command: "sync", args: ["-f", "--", path] });
    const exit = await sync.exit;
    return "code" in exit && exit.code === 0;
  } catch {
    return false;
  }
}

export async function syncFiles(paths: readonly string[]): Promise<void> {
  const [first] = paths;
  if (first === undefined) return;
  if (paths.length >= MANY && reportsFailedWrites() && (await syncFileSystem(first))) return;
  // Syncing each file also tells which one cannot be written.
  for (const path of paths) await syncPath(path);
}

/** Makes a file's content durable, or the names in a directory. */
export async function syncPath(path: string, flags = 0): Promise<void> {
  const descriptor = synchronously(() => fs.openSync(path, fs.constants.O_RDONLY | flags));
  try {
    await translated(fsync(descriptor));
  } finally {
    fs.closeSync(descriptor);
  }
}
