import type { Pipe } from "../pipes.ts";
import { Content } from "./content.ts";
import type { FileDoubt, NameDoubt } from "./doubts.ts";

/** A file system within the disk: what it can hold, and how it is mounted. */
export interface Mount {
  readonly path: string;
  /** Bytes of file content, counted in whole blocks. */
  capacityBytes: number;
  readonly blockBytes: number;
  /** Files, directories and all others, the top of the file system included. */
  readonly inodes: number;
  readOnly: boolean;
  /** No program on it can be run. */
  readonly noexec: boolean;
  /** In memory: empty after each boot. */
  readonly volatile: boolean;
}

/** A change of a file's bytes since its last sync. */
export type FileChange =
  | { readonly kind: "truncate" }
  | {
      readonly kind: "write";
      readonly offset: number;
      readonly data: Uint8Array;
      /** Through a handle that only appends. */
      readonly appended?: true;
    };

interface NodeFacts {
  readonly mount: Mount;
  mode: number;
  /** What `mode` is after a power cut. */
  durableMode: number;
  modifiedMs: number;
}

export class FileNode implements NodeFacts {
  readonly kind: "file" | "device";
  readonly mount: Mount;
  modifiedMs: number;
  /** What turns `durable` into `content`, in order. */
  changes: FileChange[] = [];
  #content = Content.empty;
  #durable = Content.empty;
  #mode: number;
  #durableMode: number;
  #doubt: FileDoubt | undefined;

  constructor(mount: Mount, mode: number, modifiedMs: number, kind: "file" | "device", doubt?: FileDoubt) {
    this.kind = kind;
    this.mount = mount;
    this.modifiedMs = modifiedMs;
    this.#mode = mode;
    this.#durableMode = mode;
    this.#doubt = doubt;
  }

  /** The changes in doubt, until the first read. */
  get doubt(): FileDoubt | undefined {
    return this.#doubt;
  }

  get content(): Content {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    return this.#content;
  }

  set content(content: Content) {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    this.#content = content;
  }

  /** As of the last sync. */
  get durable(): Content {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    return this.#durable;
  }

  set durable(content: Content) {
    this.#durable = content;
  }

  get mode(): number {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    return this.#mode;
  }

  set mode(mode: number) {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    this.#mode = mode;
  }

  get durableMode(): number {
    if (this.#doubt !== undefined) this.#settle(this.#doubt);
    return this.#durableMode;
  }

  set durableMode(mode: number) {
    this.#durableMode = mode;
  }

  #settle(doubt: FileDoubt): void {
    this.#doubt = undefined;
    const { content, mode } = doubt.settle(doubt);
    this.#content = content;
    this.#durable = content;
    this.#mode = mode;
    this.#durableMode = mode;
  }
}

export interface DirectoryNode extends NodeFacts {
  readonly kind: "directory";
  /** Names as they are. The same map as `durable` when nothing has changed since the last sync. */
  entries: Map<string, Entry>;
  durable: Map<string, Entry>;
}

/** Whether a name is there, and what it names, may be in doubt after a power cut. */
export type Entry = DiskNode | NameDoubt;

/** What an entry names; looking decides it. */
export function lookUp(entries: ReadonlyMap<string, Entry>, name: string): DiskNode | undefined {
  const entry = entries.get(name);
  return entry?.kind === "doubt" ? entry.settle() : entry;
}

/** All names that are there, and what they name; looking decides it. */
export function* namedIn(entries: ReadonlyMap<string, Entry>): Generator<readonly [string, DiskNode]> {
  for (const [name, entry] of entries) {
    const node = entry.kind === "doubt" ? entry.settle() : entry;
    if (node !== undefined) yield [name, node];
  }
}

export interface LinkNode extends NodeFacts {
  readonly kind: "link";
  readonly target: string;
}

export interface FifoNode extends NodeFacts {
  readonly kind: "fifo";
  /** Open handles; gone with the power. */
  pipe: Pipe | undefined;
}

export type DiskNode = FileNode | DirectoryNode | LinkNode | FifoNode;

/** A change of names since they were last synced. A rename is one change: it happens wholly or not at all. */
export type NameChange =
  | { readonly kind: "add"; readonly directory: DirectoryNode; readonly name: string; readonly node: DiskNode }
  | { readonly kind: "remove"; readonly directory: DirectoryNode; readonly name: string; readonly node: Entry }
  | {
      readonly kind: "rename";
      readonly directory: DirectoryNode;
      readonly name: string;
      readonly to: DirectoryNode;
      readonly toName: string;
      readonly node: DiskNode;
    };

export function newFile(mount: Mount, mode: number, modifiedMs: number, kind: "file" | "device" = "file"): FileNode {
  return new FileNode(mount, mode, modifiedMs, kind);
}

export function newDirectory(mount: Mount, mode: number, modifiedMs: number): DirectoryNode {
  const entries = new Map<string, Entry>();
  return { kind: "directory", mount, mode, durableMode: mode, modifiedMs, entries, durable: entries };
}

export function newLink(mount: Mount, target: string, modifiedMs: number): LinkNode {
  return { kind: "link", mount, mode: 0o777, durableMode: 0o777, modifiedMs, target };
}

export function newFifo(mount: Mount, mode: number, modifiedMs: number): FifoNode {
  return { kind: "fifo", mount, mode, durableMode: mode, modifiedMs, pipe: undefined };
}

/** How long a file may be: what is in doubt stays so. */
function lengthOf(file: FileNode): number {
  const { doubt } = file;
  if (doubt === undefined) return file.content.length;
  const ends = doubt.changes.map((change) => (change.kind === "write" ? change.offset + change.data.length : 0));
  return Math.max(doubt.content.length, ...ends);
}

/** What an entry may name: what is in doubt stays so. */
function mayName(entry: Entry): readonly DiskNode[] {
  if (entry.kind !== "doubt") return [entry];
  if (!entry.settled) return entry.possible;
  const node = entry.settle();
  return node === undefined ? [] : [node];
}

/**
 * What a node and everything below it, within one mount, take of the file system. Names and bytes that a power cut left
 * undecided count: asking for the free space does not decide them.
 */
export function heldSpace(node: DiskNode): { readonly bytes: number; readonly inodes: number } {
  if (node.kind === "file") return { bytes: wholeBlocks(lengthOf(node), node.mount), inodes: 1 };
  let bytes = 0;
  let inodes = 1;
  if (node.kind !== "directory") return { bytes, inodes };
  for (const child of [...node.entries.values()].flatMap(mayName)) {
    if (child.mount !== node.mount) continue;
    const below = heldSpace(child);
    bytes += below.bytes;
    inodes += below.inodes;
  }
  return { bytes, inodes };
}

/** Bytes as the blocks that hold them. */
export function wholeBlocks(bytes: number, { blockBytes }: Pick<Mount, "blockBytes">): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

const inodes = new WeakMap<DiskNode, number>();
let inodeCount = 0;

/** A number that no other node has. */
export function inodeOf(node: DiskNode): number {
  const known = inodes.get(node);
  if (known !== undefined) return known;
  inodeCount += 1;
  inodes.set(node, inodeCount);
  return inodeCount;
}
