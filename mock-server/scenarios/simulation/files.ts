import {
  type FifoWriter,
  type FileHandle,
  type FileStatus,
  type Files,
  type OpenMode,
  SystemError,
} from "@upkeep/shared/system";
import { type Disk, diskError } from "./disk/disk.ts";
import { type DiskNode, type FifoNode, type FileNode, inodeOf, namedIn } from "./disk/nodes.ts";
import { Pipe } from "./pipes.ts";
import type { SimulatedProcess } from "./process.ts";

const EXECUTE_BITS = 0o111;

function statusOf(node: DiskNode): FileStatus {
  const sizeBytes = node.kind === "file" || node.kind === "device" ? node.content.length : 0;
  return { kind: node.kind, sizeBytes, mode: node.mode, modifiedMs: node.modifiedMs, inode: inodeOf(node) };
}

class SimulatedFileHandle implements FileHandle {
  readonly #process: SimulatedProcess;
  readonly #disk: Disk;
  readonly #file: FileNode;
  readonly #path: string;
  readonly #mode: OpenMode;
  #position = 0;
  #open = true;

  constructor(process: SimulatedProcess, disk: Disk, file: FileNode, path: string, mode: OpenMode) {
    this.#process = process;
    this.#disk = disk;
    this.#file = file;
    this.#path = path;
    this.#mode = mode;
  }

  read(buffer: Uint8Array, position?: number): Promise<number> {
    return this.#process.call("file.read", this.#path, () => {
      this.#check("read", this.#mode === "read" || this.#mode === "update");
      const from = position ?? this.#position;
      const found = this.#file.content.bytes.subarray(from, from + buffer.length);
      buffer.set(found);
      if (position === undefined) this.#position += found.length;
      return found.length;
    });
  }

  write(data: Uint8Array, position?: number): Promise<void> {
    return this.#process.call("file.write", this.#path, () => {
      this.#check("write", this.#mode !== "read");
      const at = this.#mode === "append" ? this.#file.content.length : (position ?? this.#position);
      this.#disk.write(this.#file, at, data, this.#path, this.#mode === "append" ? true : undefined);
      if (position === undefined) this.#position = at + data.length;
    });
  }

  sync(): Promise<void> {
    return this.#process.call("file.sync", this.#path, () => {
      this.#check("fsync", true);
      this.#disk.sync(this.#file);
    });
  }

  status(): Promise<FileStatus> {
    return this.#process.call("file.status", this.#path, () => {
      this.#check("fstat", true);
      return statusOf(this.#file);
    });
  }

  close(): Promise<void> {
    return this.#process.call("file.close", this.#path, () => {
      this.#check("close", true);
      this.#open = false;
    });
  }

  #check(operation: string, allowed: boolean): void {
    if (!this.#open || !allowed) throw diskError("EBADF", operation, this.#path);
  }
}

function fifoAt(disk: Disk, path: string): FifoNode {
  const node = disk.find(path, "open");
  if (node === undefined) throw diskError("ENOENT", "open", path);
  if (node.kind !== "fifo") throw new SystemError("EINVAL", `${path} is not a FIFO`);
  return node;
}

function fifoWriter(process: SimulatedProcess, pipe: Pipe, path: string): FifoWriter {
  pipe.addWriter();
  let open = true;
  const close = (): void => {
    if (open) pipe.removeWriter();
    open = false;
  };
  process.onEnd(close);
  return {
    write: (data, signal) =>
      process.callThatWaits("fifo.write", path, (done, failed) => {
        if (signal?.aborted) failed(signal.reason);
        else if (!open) failed(diskError("EBADF", "write", path));
        else {
          const onAbort = (): void => failed(signal?.reason);
          signal?.addEventListener("abort", onAbort, { once: true });
          const settled = (): void => signal?.removeEventListener("abort", onAbort);
          pipe.write(
            data,
            () => {
              settled();
              done(undefined);
            },
            (error) => {
              settled();
              failed(error);
            },
          );
        }
      }),
    close: () => process.call("fifo.close", path, close),
  };
}

/** Open a FIFO for writing; resolves when a reader has it open, as on Linux. */
function openFifoWriter(
  process: SimulatedProcess,
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
): Promise<FifoWriter> {
  return process.callThatWaits("files.openFifo", path, (done, failed) => {
    if (signal?.aborted) {
      failed(signal.reason);
      return;
    }
    let node: FifoNode;
    try {
      node = fifoAt(disk, path);
    } catch (error) {
      failed(error);
      return;
    }
    node.pipe ??= new Pipe();
    const { pipe } = node;
    let cancel: () => void = () => undefined;
    const onAbort = (): void => {
      cancel();
      failed(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    // A reader may be there already: then this is called at once.
    cancel = pipe.onReader(() => {
      signal?.removeEventListener("abort", onAbort);
      done(fifoWriter(process, pipe, path));
    });
    process.onEnd(cancel);
  });
}

/** The reading end of a FIFO: for programs in the simulation, such as update modules. */
export interface FifoReader {
  /** What was written next; `undefined` at the end, when every writer has closed. */
  read(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/** A FIFO, opened for reading as any file is. */
class SimulatedFifoHandle implements FileHandle {
  readonly #reader: FifoReader;
  readonly #path: string;
  readonly #status: FileStatus;
  #left: Uint8Array | undefined = new Uint8Array(0);

  constructor(reader: FifoReader, path: string, status: FileStatus) {
    this.#reader = reader;
    this.#path = path;
    this.#status = status;
  }

  async read(buffer: Uint8Array, position?: number): Promise<number> {
    if (position !== undefined) throw diskError("ESPIPE", "read", this.#path);
    if (this.#left?.length === 0) this.#left = await this.#reader.read();
    if (this.#left === undefined) return 0;
    const found = this.#left.subarray(0, buffer.length);
    this.#left = this.#left.subarray(found.length);
    buffer.set(found);
    return found.length;
  }

  async write(): Promise<void> {
    throw diskError("EBADF", "write", this.#path);
  }

  async sync(): Promise<void> {
    throw diskError("EINVAL", "fsync", this.#path);
  }

  async status(): Promise<FileStatus> {
    return this.#status;
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}

/** Open a FIFO for reading; resolves when a writer has it open, as on Linux. */
export function openFifoReader(process: SimulatedProcess, disk: Disk, path: string): Promise<FifoReader> {
  return process.callThatWaits("fifo.open", path, (done, failed) => {
    let node: FifoNode;
    try {
      node = fifoAt(disk, path);
    } catch (error) {
      failed(error);
      return;
    }
    node.pipe ??= new Pipe();
    const { pipe } = node;
    let open = true;
    const close = (): void => {
      if (open) pipe.removeReader();
      open = false;
    };
    process.onEnd(close);
    pipe.addReader(() =>
      done({
        read: () =>
          process.callThatWaits("fifo.read", path, (give, refuse) => {
            if (open) pipe.read(give);
            else refuse(diskError("EBADF", "read", path));
          }),
        close: () => process.call("fifo.close", path, close),
      }),
    );
  });
}

/** The file system as one process sees it. */
export function simulatedFiles(process: SimulatedProcess, disk: Disk): Files {
  const existing = (path: string, operation: string): DiskNode => {
    const node = disk.find(path, operation);
    if (node === undefined) throw diskError("ENOENT", operation, path);
    return node;
  };
  const opened = (path: string, mode: OpenMode, permissions: number): FileNode => {
    if (mode === "read" || mode === "update") {
      const node = existing(path, "open");
      if (node.kind === "directory") throw diskError("EISDIR", "open", path);
      if (node.kind !== "file" && node.kind !== "device") throw diskError("ENXIO", "open", path);
      if (mode === "update" && node.kind === "file" && node.mount.readOnly) throw diskError("EROFS", "open", path);
      return node;
    }
    const file = disk.openForWriting(path, permissions, mode === "exclusive");
    if (mode === "write") disk.truncate(file);
    return file;
  };
  const statusAt = (path: string): FileStatus | undefined => {
    let node: DiskNode | undefined;
    try {
      node = disk.find(path);
    } catch (error) {
      if (error instanceof SystemError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
      throw error;
    }
    return node === undefined ? undefined : statusOf(node);
  };
  return {
    open: async (path, mode, permissions = 0o666) => {
      const status = mode === "read" && process.alive ? statusAt(path) : undefined;
      if (status?.kind === "fifo")
        return new SimulatedFifoHandle(await openFifoReader(process, disk, path), path, status);
      return await process.call(
        `files.open ${mode}`,
        path,
        () => new SimulatedFileHandle(process, disk, opened(path, mode, permissions), path, mode),
      );
    },
    status: (path) => process.call("files.status", path, () => statusAt(path)),
    list: (directory) =>
      process.call("files.list", directory, () =>
        [...namedIn(disk.directory(directory, "scandir").entries)]
          .map(([name, { kind }]) => ({ name, kind }))
          .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
      ),
    makeDirectory: (path, permissions = 0o777) =>
      process.call("files.makeDirectory", path, () => {
        disk.makeDirectory(path, permissions);
      }),
    rename: (from, to) => process.call("files.rename", `${from} ${to}`, () => disk.rename(from, to)),
    remove: (path) => process.call("files.remove", path, () => disk.remove(path)),
    setPermissions: (path, permissions) =>
      process.call("files.setPermissions", path, () => disk.setPermissions(path, permissions)),
    isExecutable: (path) =>
      process.call("files.isExecutable", path, () => {
        const status = statusAt(path);
        return status?.kind === "file" && (status.mode & EXECUTE_BITS) !== 0;
      }),
    realPath: (path) => process.call("files.realPath", path, () => disk.realPath(path)),
    readLink: (path) => process.call("files.readLink", path, () => disk.readLink(path)),
    syncFiles: async (paths) => {
      for (const path of paths) await process.call("file.sync", path, () => disk.sync(opened(path, "read", 0)));
    },
    syncDirectory: (directory) =>
      process.call("files.syncDirectory", directory, () => disk.syncDirectory(disk.directory(directory, "open"))),
    freeBytes: (path) => process.call("files.freeBytes", path, () => process.toldFree(path, disk.freeBytes(path))),
    makeFifos: (paths, permissions = 0o600) =>
      process.call("files.makeFifos", paths.join(" "), () => {
        for (const path of paths) disk.makeFifo(path, permissions);
      }),
    isFifoRead: (path) => process.call("files.isFifoRead", path, () => fifoAt(disk, path).pipe?.isRead ?? false),
    openFifo: (path, signal) => openFifoWriter(process, disk, path, signal),
  };
}
