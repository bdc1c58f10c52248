/**
 * Read; create or empty and write; create, failing with EEXIST if there; write at the end; read and write in
 * place what is there (such as a device), failing with ENOENT if it is not.
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
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** An open file. Close it: nothing else does. */
export interface FileHandle {
  /**
   * Read up to `buffer.length` bytes into `buffer`.
   * @param position Byte offset; the handle's own position when absent.
   * @returns Bytes read; 0 at the end of the file.
   */
  read(buffer: Uint8Array, position?: number): Promise<number>;
  /** Write all of `data` at the handle's position (or at `position`). */
  write(data: Uint8Array, position?: number): Promise<void>;
  /** Make what was written durable (fsync). */
  sync(): Promise<void>;
  status(): Promise<FileStatus>;
  close(): Promise<void>;
}

/** The writing end of a FIFO that somebody reads. No thread waits while the reader does not read. */
export interface FifoWriter {
  /**
   * Resolves when the reader's side has taken all of `data`.
   * Rejects with EPIPE when the reader has gone.
   */
  write(data: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Close the writing end: the reader sees the end of the file once it has read what is there. */
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
   * True if it is a file whose mode says that it is a program. Whether it can be run shows when it is: on a file system
   * that is mounted noexec it cannot, and that is no reason to leave it out.
   */
  isExecutable(path: string): Promise<boolean>;
  /** The target of a symbolic link with every link resolved. */
  realPath(path: string): Promise<string>;
  /** Make names in `directory` durable: created, renamed or removed ones. */
  syncDirectory(directory: string): Promise<void>;
  /** Bytes that this process may still write to the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
  /** Make a FIFO. Rejects with EEXIST if the name is taken. */
  makeFifo(path: string, permissions?: number): Promise<void>;
  /** Open a FIFO for writing if somebody has it open for reading now; otherwise `undefined`. Never waits. */
  openFifo(path: string): Promise<FifoWriter | undefined>;
}
