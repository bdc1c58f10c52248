import type { BigIntStats, Dirent, Stats } from "node:fs";
import * as fs from "node:fs/promises";
import {
  type DirectoryEntry,
  type FileHandle,
  type FileKind,
  type FileStatus,
  type Files,
  isSystemError,
  type OpenMode,
} from "@upkeep/shared/system";
import { translated } from "./errors.ts";
import { makeFifo, openFifo } from "./fifos.ts";

const FLAGS: Record<OpenMode, string> = { read: "r", write: "w", exclusive: "wx", append: "a", update: "r+" };

function kindOf(entry: Dirent | Stats | BigIntStats): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "link";
  if (entry.isFIFO()) return "fifo";
  return entry.isBlockDevice() || entry.isCharacterDevice() ? "device" : "other";
}

function statusOf(stats: Stats): FileStatus {
  return { kind: kindOf(stats), sizeBytes: stats.size, mode: stats.mode & 0o7777, modifiedMs: stats.mtimeMs };
}

class LinuxFileHandle implements FileHandle {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, position?: number): Promise<number> {
    return (await translated(this.#handle.read(buffer, 0, buffer.length, position ?? null))).bytesRead;
  }

  async write(data: Uint8Array, position?: number): Promise<void> {
    // The kernel may take less than all of it at once.
    for (let written = 0; written < data.length; ) {
      const at = position === undefined ? null : position + written;
      written += (await translated(this.#handle.write(data, written, data.length - written, at))).bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await translated(this.#handle.sync());
  }

  async status(): Promise<FileStatus> {
    return statusOf(await translated(this.#handle.stat()));
  }

  async close(): Promise<void> {
    await translated(this.#handle.close());
  }
}

async function status(path: string): Promise<FileStatus | undefined> {
  try {
    return statusOf(await translated(fs.stat(path)));
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function list(directory: string): Promise<DirectoryEntry[]> {
  const entries = await translated(fs.readdir(directory, { withFileTypes: true }));
  return entries
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function isExecutable(path: string): Promise<boolean> {
  if ((await status(path))?.kind !== "file") return false;
  return await fs.access(path, fs.constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await translated(fs.open(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY));
  try {
    await translated(handle.sync());
  } finally {
    await handle.close();
  }
}

async function freeBytes(path: string): Promise<number> {
  const facts = await translated(fs.statfs(path));
  return facts.bavail * facts.bsize;
}

export const linuxFiles: Files = {
  open: async (path, mode, permissions) =>
    new LinuxFileHandle(await translated(fs.open(path, FLAGS[mode], permissions ?? 0o666))),
  status,
  list,
  makeDirectory: async (path, permissions) => {
    await translated(fs.mkdir(path, { recursive: true, mode: permissions ?? 0o777 }));
  },
  rename: (from, to) => translated(fs.rename(from, to)),
  remove: (path) => translated(fs.rm(path, { recursive: true, force: true })),
  setPermissions: (path, permissions) => translated(fs.chmod(path, permissions)),
  isExecutable,
  realPath: (path) => translated(fs.realpath(path)),
  syncDirectory,
  freeBytes,
  makeFifo,
  openFifo,
};
