import type { BigIntStats, Dirent, Stats } from "node:fs";
import * as fs from "node:fs";
import { promisify } from "node:util";
import {
  type DirectoryEntry,
  type FileHandle,
  type FileKind,
  type FileStatus,
  type Files,
  isSystemError,
  type OpenMode,
  SystemError,
} from "@upkeep/shared/system";
import { synchronously, translated } from "./errors.ts";
import { isFifoRead, makeFifos, openFifo } from "./fifos.ts";
import { removeTree } from "./remove-tree.ts";
import { syncFiles, syncPath } from "./sync-files.ts";

/**
 * Promises over Node's file callbacks. `fs/promises` loads file handles as event targets, line readers and web streams:
 * two thirds of a megabyte in an idle daemon.
 *
 * Calls that only touch a directory entry or a few bytes in memory are synchronous instead: a trip to the thread pool
 * and back takes several times as long as they do.
 */
const call = {
  chmod: promisify(fs.chmod),
  fstat: promisify<number, Stats>(fs.fstat),
  fsync: promisify(fs.fsync),
  open: promisify<string, string | number, number, number>(fs.open),
  read: (descriptor: number, buffer: Uint8Array, position: number | null): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.read(descriptor, buffer, 0, buffer.length, position, (error, bytes) => {
        if (error) reject(error);
        else resolve(bytes);
      });
    }),
  readDirectory: promisify<string, { withFileTypes: true }, Dirent[]>(fs.readdir),
  readLink: promisify<string, string>(fs.readlink),
  realPath: promisify<string, string>(fs.realpath.native),
  stat: promisify<string, Stats>(fs.stat),
  statfs: promisify<string, fs.StatsFs>(fs.statfs),
  write: (descriptor: number, data: Uint8Array, offset: number, position: number | null): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.write(descriptor, data, offset, data.length - offset, position, (error, bytes) => {
        if (error) reject(error);
        else resolve(bytes);
      });
    }),
};

/** Writes of up to this size are synchronous. */
const SMALL_WRITE_BYTES = 16 * 1024;

const EXECUTE_BITS = 0o111;

const FLAGS: Record<OpenMode, string> = { read: "r", write: "w", exclusive: "wx", append: "a", update: "r+" };

/** The other modes may open a device or a FIFO, which can wait. */
const CREATES: ReadonlySet<OpenMode> = new Set(["write", "exclusive", "append"]);

function kindOf(entry: Dirent | Stats | BigIntStats): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "link";
  if (entry.isFIFO()) return "fifo";
  return entry.isBlockDevice() || entry.isCharacterDevice() ? "device" : "other";
}

function statusOf(stats: Stats): FileStatus {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    modifiedMs: stats.mtimeMs,
    inode: stats.ino,
  };
}

class LinuxFileHandle implements FileHandle {
  readonly #descriptor: number;
  #closed = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(buffer: Uint8Array, position?: number): Promise<number> {
    return await translated(call.read(this.#open, buffer, position ?? null));
  }

  async write(data: Uint8Array, position?: number): Promise<void> {
    // A write may be partial.
    for (let written = 0; written < data.length; ) {
      const at = position === undefined ? null : position + written;
      written +=
        data.length <= SMALL_WRITE_BYTES
          ? synchronously(() => fs.writeSync(this.#open, data, written, data.length - written, at))
          : await translated(call.write(this.#open, data, written, at));
    }
  }

  async sync(): Promise<void> {
    await translated(call.fsync(this.#open));
  }

  async status(): Promise<FileStatus> {
    return statusOf(await translated(call.fstat(this.#open)));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const descriptor = this.#open;
    this.#closed = true;
    synchronously(() => fs.closeSync(descriptor));
  }

  /** Guards against use after close: the descriptor's number may belong to another file by then. */
  get #open(): number {
    if (this.#closed) throw new SystemError("EBADF", "the file is closed");
    return this.#descriptor;
  }
}

async function status(path: string): Promise<FileStatus | undefined> {
  try {
    return statusOf(await translated(call.stat(path)));
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function list(directory: string): Promise<DirectoryEntry[]> {
  const entries = await translated(call.readDirectory(directory, { withFileTypes: true }));
  return entries
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function isExecutable(path: string): Promise<boolean> {
  const facts = await status(path);
  return facts?.kind === "file" && (facts.mode & EXECUTE_BITS) !== 0;
}

async function remove(path: string): Promise<void> {
  try {
    synchronously(() => fs.unlinkSync(path));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return;
    // EISDIR on Linux, EPERM by POSIX: a directory.
    if (!isSystemError(error, "EISDIR", "EPERM")) throw error;
    await removeTree(path);
  }
}

async function freeBytes(path: string): Promise<number> {
  const facts = await translated(call.statfs(path));
  return facts.bavail * facts.bsize;
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await translated(call.readLink(path));
  } catch (error) {
    // EINVAL: it is no link.
    if (isSystemError(error, "EINVAL", "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

export const linuxFiles: Files = {
  open: async (path, mode, permissions = 0o666) =>
    new LinuxFileHandle(
      CREATES.has(mode)
        ? synchronously(() => fs.openSync(path, FLAGS[mode], permissions))
        : await translated(call.open(path, FLAGS[mode], permissions)),
    ),
  status,
  list,
  // Node's asynchronous variant says that the directory above does not exist when the file system is full.
  makeDirectory: async (path, permissions) => {
    synchronously(() => fs.mkdirSync(path, { recursive: true, mode: permissions ?? 0o777 }));
  },
  rename: async (from, to) => synchronously(() => fs.renameSync(from, to)),
  remove,
  setPermissions: (path, permissions) => translated(call.chmod(path, permissions)),
  isExecutable,
  realPath: (path) => translated(call.realPath(path)),
  readLink,
  syncFiles,
  syncDirectory: (directory) => syncPath(directory, fs.constants.O_DIRECTORY),
  freeBytes,
  makeFifos,
  isFifoRead,
  openFifo,
};
