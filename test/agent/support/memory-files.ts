import {
  type DirectoryEntry,
  type FifoWriter,
  type FileHandle,
  type FileKind,
  type FileStatus,
  type Files,
  type OpenMode,
  SystemError,
} from "@upkeep/shared/system";

interface Node {
  readonly kind: FileKind;
  mode: number;
  data: Buffer;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

class MemoryHandle implements FileHandle {
  readonly #path: string;
  readonly #node: Node;
  readonly #files: MemoryFiles;
  #position: number;

  constructor(path: string, node: Node, files: MemoryFiles, position: number) {
    this.#path = path;
    this.#node = node;
    this.#files = files;
    this.#position = position;
  }

  async read(buffer: Uint8Array, position = this.#position): Promise<number> {
    const piece = this.#node.data.subarray(position, position + buffer.length);
    buffer.set(piece);
    this.#position = position + piece.length;
    return piece.length;
  }

  async write(data: Uint8Array, position = this.#position): Promise<void> {
    this.#files.demandRoom(this.#path, data.length);
    const { data: old } = this.#node;
    const grown = Buffer.alloc(Math.max(old.length, position + data.length));
    old.copy(grown);
    grown.set(data, position);
    this.#node.data = grown;
    this.#position = position + data.length;
  }

  async sync(): Promise<void> {
    this.#files.synced.push([this.#path]);
  }

  async status(): Promise<FileStatus> {
    return { kind: "file", sizeBytes: this.#node.data.length, mode: this.#node.mode, modifiedMs: 0, inode: 0 };
  }

  async close(): Promise<void> {
    // There is nothing to give back.
  }
}

/** A file system in memory, with the errors of a real one. Nothing reads its FIFOs. */
export class MemoryFiles implements Files {
  readonly #nodes = new Map<string, Node>([["/", { kind: "directory", mode: 0o755, data: Buffer.alloc(0) }]]);
  /** Which writes find the disk full. */
  refuse: (path: string, bytes: number) => boolean = () => false;
  /** Files that were synced together, in the order of the syncs. */
  readonly synced: string[][] = [];
  /** What `freeBytes` says. */
  freeBytesSaid = 1e12;

  demandRoom(path: string, bytes: number): void {
    if (this.refuse(path, bytes)) throw new SystemError("ENOSPC", "no space left on device");
  }

  /** For tests: a file with its content and permissions, parents included. */
  put(path: string, content: string | Uint8Array, mode = 0o644): void {
    for (let parent = parentOf(path); !this.#nodes.has(parent); parent = parentOf(parent)) {
      this.#nodes.set(parent, { kind: "directory", mode: 0o755, data: Buffer.alloc(0) });
    }
    this.#nodes.set(path, { kind: "file", mode, data: Buffer.from(content as string) });
  }

  /** For tests: a file's text. */
  text(path: string): string | undefined {
    return this.#nodes.get(path)?.data.toString("utf8");
  }

  /** For tests: a copy of a file's content. */
  bytes(path: string): Buffer | undefined {
    const data = this.#nodes.get(path)?.data;
    return data && Buffer.from(data);
  }

  /** For tests: every path below a directory. */
  below(directory: string): string[] {
    return [...this.#nodes.keys()].filter((path) => path.startsWith(`${directory}/`)).sort();
  }

  async open(path: string, mode: OpenMode, permissions = 0o666): Promise<FileHandle> {
    const there = this.#nodes.get(path);
    if ((mode === "read" || mode === "update") && there === undefined) throw missing(path);
    if (mode === "exclusive" && there !== undefined) throw new SystemError("EEXIST", `${path} exists`);
    if (!this.#nodes.has(parentOf(path))) throw missing(path);
    const node = there ?? { kind: "file" as const, mode: permissions, data: Buffer.alloc(0) };
    if (mode === "write") node.data = Buffer.alloc(0);
    this.#nodes.set(path, node);
    return new MemoryHandle(path, node, this, mode === "append" ? node.data.length : 0);
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const node = this.#nodes.get(path);
    return node && { kind: node.kind, sizeBytes: node.data.length, mode: node.mode, modifiedMs: 0, inode: 0 };
  }

  async list(directory: string): Promise<DirectoryEntry[]> {
    if (!this.#nodes.has(directory)) throw missing(directory);
    return this.below(directory)
      .filter((path) => parentOf(path) === directory)
      .map((path) => ({ name: path.slice(directory.length + 1), kind: this.#nodes.get(path)?.kind ?? "other" }));
  }

  async makeDirectory(path: string, permissions = 0o777): Promise<void> {
    for (let made = path; !this.#nodes.has(made); made = parentOf(made)) {
      this.#nodes.set(made, { kind: "directory", mode: permissions, data: Buffer.alloc(0) });
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const node = this.#nodes.get(from);
    if (node === undefined) throw missing(from);
    this.#nodes.delete(from);
    this.#nodes.set(to, node);
  }

  async remove(path: string): Promise<void> {
    for (const below of this.below(path)) this.#nodes.delete(below);
    this.#nodes.delete(path);
  }

  async setPermissions(path: string, permissions: number): Promise<void> {
    const node = this.#nodes.get(path);
    if (node === undefined) throw missing(path);
    node.mode = permissions;
  }

  async isExecutable(path: string): Promise<boolean> {
    const node = this.#nodes.get(path);
    return node?.kind === "file" && (node.mode & 0o100) !== 0;
  }

  async realPath(path: string): Promise<string> {
    return path;
  }

  async readLink(): Promise<undefined> {
    return undefined;
  }

  async syncFiles(paths: readonly string[]): Promise<void> {
    for (const path of paths) if (!this.#nodes.has(path)) throw missing(path);
    this.synced.push([...paths]);
  }

  async syncDirectory(directory: string): Promise<void> {
    if (!this.#nodes.has(directory)) throw missing(directory);
  }

  async freeBytes(): Promise<number> {
    return this.freeBytesSaid;
  }

  async makeFifos(paths: readonly string[], permissions = 0o600): Promise<void> {
    for (const path of paths) {
      if (this.#nodes.has(path)) throw new SystemError("EEXIST", `${path} exists`);
      this.#nodes.set(path, { kind: "fifo", mode: permissions, data: Buffer.alloc(0) });
    }
  }

  async isFifoRead(): Promise<boolean> {
    return false;
  }

  /** Nothing reads here. */
  openFifo(path: string, signal?: AbortSignal): Promise<FifoWriter> {
    return new Promise((_, reject) => {
      if (!this.#nodes.has(path)) reject(missing(path));
      else if (signal?.aborted) reject(signal.reason);
      else signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}

function missing(path: string): SystemError {
  return new SystemError("ENOENT", `there is no ${path}`);
}
