import { constants, type Dirent, mkdirSync, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { DirectoryEntry, FileHandle, FileKind, FileStatus, Files, OpenMode } from "@upkeep/shared/system";
import { isSystemError, SystemError } from "@upkeep/shared/system";
import { refused, throughDoor } from "./faults.ts";

const FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  exclusive: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  append: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
  update: constants.O_RDWR,
};

function kindOf(entry: Stats | Dirent): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "link";
  if (entry.isFIFO()) return "fifo";
  if (entry.isBlockDevice() || entry.isCharacterDevice()) return "device";
  return "other";
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

const EXECUTE_BITS = 0o111;

class NodeFileHandle implements FileHandle {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, position?: number): Promise<number> {
    const { bytesRead } = await throughDoor(this.#handle.read(buffer, 0, buffer.length, position ?? null));
    return bytesRead;
  }

  async write(data: Uint8Array, position?: number): Promise<void> {
    let done = 0;
    while (done < data.length) {
      const at = position === undefined ? null : position + done;
      const { bytesWritten } = await throughDoor(this.#handle.write(data, done, data.length - done, at));
      if (bytesWritten === 0) throw new SystemError("EIO", "nothing more could be written");
      done += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await throughDoor(this.#handle.sync());
  }

  async status(): Promise<FileStatus> {
    return statusOf(await throughDoor(this.#handle.stat()));
  }

  async close(): Promise<void> {
    await throughDoor(this.#handle.close());
  }
}

/** The machine's file system. */
export class NodeFiles implements Files {
  async open(path: string, mode: OpenMode, permissions = 0o600): Promise<FileHandle> {
    return new NodeFileHandle(await throughDoor(fs.open(path, FLAGS[mode], permissions)));
  }

  async status(path: string): Promise<FileStatus | undefined> {
    try {
      return statusOf(await throughDoor(fs.stat(path)));
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  async list(directory: string): Promise<DirectoryEntry[]> {
    const entries = await throughDoor(fs.readdir(directory, { withFileTypes: true }));
    return entries
      .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  async makeDirectory(path: string, permissions = 0o755): Promise<void> {
    // Node's asynchronous variant says that the directory above does not exist when the file system is full.
    const make = async () => mkdirSync(path, { recursive: true, mode: permissions });
    await throughDoor(make());
  }

  async rename(from: string, to: string): Promise<void> {
    await throughDoor(fs.rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await throughDoor(fs.rm(path, { recursive: true, force: true }));
  }

  async setPermissions(path: string, permissions: number): Promise<void> {
    await throughDoor(fs.chmod(path, permissions));
  }

  async isExecutable(path: string): Promise<boolean> {
    const status = await this.status(path);
    return status?.kind === "file" && (status.mode & EXECUTE_BITS) !== 0;
  }

  async realPath(path: string): Promise<string> {
    return await throughDoor(fs.realpath(path));
  }

  async readLink(path: string): Promise<string | undefined> {
    try {
      return await throughDoor(fs.readlink(path));
    } catch (error) {
      // EINVAL: it is no link.
      if (isSystemError(error, "EINVAL", "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  async syncDirectory(directory: string): Promise<void> {
    const handle = await throughDoor(fs.open(join(directory, "."), constants.O_RDONLY | constants.O_DIRECTORY));
    try {
      await throughDoor(handle.sync());
    } finally {
      await handle.close();
    }
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await throughDoor(fs.statfs(path));
    return bavail * bsize;
  }

  syncFiles(): Promise<never> {
    return Promise.reject(refused("stores no payloads and so syncs no files together"));
  }

  makeFifos(): Promise<void> {
    return Promise.reject(refused("runs no update modules and so makes no FIFOs"));
  }

  isFifoRead(): Promise<never> {
    return Promise.reject(refused("runs no update modules and so reads no FIFOs"));
  }

  openFifo(): Promise<never> {
    return Promise.reject(refused("runs no update modules and so opens no FIFOs"));
  }
}
