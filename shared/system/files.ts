/**
 * `read`; `write`: create or truncate; `exclusive`: create, fails with EEXIST if the file exists; `append`; `update`: read and
 * write in place (such as a device), fails with ENOENT if the file does not exist.
 */
export type OpenMode = "read" | "write" | "exclusive" | "append" | "update";

export type FileKind = "file" | "directory" | "link" | "fifo" | "device" | "other";

export interface FileStatus {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Permission bits, for example 0o600. */
  readonly mode: number;
  /** Milliseconds since the Unix epoch. */
  readonly modifiedMs: number;
  /** No other file of the file system has this number as long as this one is open. */
  readonly inode: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** An open file. The caller must close it. */
export interface FileHandle {
  /**
   * Read up to `buffer.length` bytes into `buffer`.
   * @param position Byte offset; the handle's own position when absent.
   * @returns Bytes read; 0 at the end of the file.
   */
  read(buffer: Uint8Array, position?: number): Promise<number>;
  /** Write all of `data` at the handle's position (or at `position`). */
  write(data: Uint8Array, position?: number): Promise<void>;
  /** Makes the written content durable (fsync). */
  sync(): Promise<void>;
  status(): Promise<FileStatus>;
  close(): Promise<void>;
}

/** The writing end of a FIFO with a reader. No thread blocks while the reader is slow. */
export interface FifoWriter {
  /**
   * Resolves when the FIFO has taken all of `data`.
   * Rejects with EPIPE if the reader has closed its end.
   */
  write(data: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Closes the writing end: the reader sees the end of the file after the buffered data. */
  close(): Promise<void>;
}

/** The file system. Paths are absolute. Links are never followed by `remove`. */
export interface Files {
  open(path: string, mode: OpenMode, permissions?: number): Promise<FileHandle>;
  /** `undefined` if there is no such file. Links are followed. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Entries in the order of their names (by code unit). Rejects with ENOENT if not there. */
  list(directory: string): Promise<DirectoryEntry[]>;
  /** Make a directory and its parents. No error if it is there. */
  makeDirectory(path: string, permissions?: number): Promise<void>;
  /** Rename, replacing an existing file. Not durable before `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** Remove a file or a whole tree. No error if it is not there. */
  remove(path: string): Promise<void>;
  setPermissions(path: string, permissions: number): Promise<void>;
  /**
   * True for a file with an executable mode. It may still fail to start, for example on a file system mounted noexec:
   * such a file must not be skipped silently.
   */
  isExecutable(path: string): Promise<boolean>;
  /** The target of a symbolic link with every link resolved. */
  realPath(path: string): Promise<string>;
  /** What a symbolic link holds, which need not exist; `undefined` if `path` is none. */
  readLink(path: string): Promise<string | undefined>;
  /**
   * Makes the content of files on one file system durable, as `sync()` of a handle of each would. One call for many
   * files takes a fraction of the time.
   */
  syncFiles(paths: readonly string[]): Promise<void>;
  /** Makes created, renamed and removed names in `directory` durable. */
  syncDirectory(directory: string): Promise<void>;
  /** Free bytes for this process on the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
  /** Make FIFOs. Rejects with EEXIST if a name is taken; the other ones may have been made then. */
  makeFifos(paths: readonly string[], permissions?: number): Promise<void>;
  /** True if a process has the FIFO open for reading, under whatever name. */
  isFifoRead(path: string): Promise<boolean>;
  /** Opens a FIFO for writing, as soon as a reader has it open. */
  openFifo(path: string, signal?: AbortSignal): Promise<FifoWriter>;
}
