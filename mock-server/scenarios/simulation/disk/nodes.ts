import type { Pipe } from "../pipes.ts";
import { Content } from "./content.ts";

/** A file system within the disk: what it can hold, and how it is mounted. */
export interface Mount {
  readonly path: string;
  /** Bytes of file content. */
  capacityBytes: number;
  readOnly: boolean;
  /** In memory: empty after each boot. */
  readonly volatile: boolean;
}

/** A change of a file's bytes since its last sync. */
export type FileChange =
  | { readonly kind: "truncate" }
  | { readonly kind: "write"; readonly offset: number; readonly data: Uint8Array };

interface NodeFacts {
  readonly mount: Mount;
  mode: number;
  /** What `mode` is after a power cut. */
  durableMode: number;
  modifiedMs: number;
}

export interface FileNode extends NodeFacts {
  readonly kind: "file" | "device";
  content: Content;
  /** As of the last sync. */
  durable: Content;
  /** What turns `durable` into `content`, in order. */
  changes: FileChange[];
}

export interface DirectoryNode extends NodeFacts {
  readonly kind: "directory";
  /** Names as they are. The same map as `durable` when nothing has changed since the last sync. */
  entries: Map<string, DiskNode>;
  durable: Map<string, DiskNode>;
}

export interface LinkNode extends NodeFacts {
  readonly kind: "link";
  readonly target: string;
}

export interface FifoNode extends NodeFacts {
  readonly kind: "fifo";
  /** While somebody has it open; gone with the power. */
  pipe: Pipe | undefined;
}

export type DiskNode = FileNode | DirectoryNode | LinkNode | FifoNode;

/** A change of names since they were last synced. A rename is one change: it happens wholly or not at all. */
export type NameChange =
  | { readonly kind: "add"; readonly directory: DirectoryNode; readonly name: string; readonly node: DiskNode }
  | { readonly kind: "remove"; readonly directory: DirectoryNode; readonly name: string; readonly node: DiskNode }
  | {
      readonly kind: "rename";
      readonly directory: DirectoryNode;
      readonly name: string;
      readonly to: DirectoryNode;
      readonly toName: string;
      readonly node: DiskNode;
    };

export function newFile(mount: Mount, mode: number, modifiedMs: number, kind: "file" | "device" = "file"): FileNode {
  return {
    kind,
    mount,
    mode,
    durableMode: mode,
    modifiedMs,
    content: Content.empty,
    durable: Content.empty,
    changes: [],
  };
}

export function newDirectory(mount: Mount, mode: number, modifiedMs: number): DirectoryNode {
  const entries = new Map<string, DiskNode>();
  return { kind: "directory", mount, mode, durableMode: mode, modifiedMs, entries, durable: entries };
}

export function newLink(mount: Mount, target: string, modifiedMs: number): LinkNode {
  return { kind: "link", mount, mode: 0o777, durableMode: 0o777, modifiedMs, target };
}

export function newFifo(mount: Mount, mode: number, modifiedMs: number): FifoNode {
  return { kind: "fifo", mount, mode, durableMode: mode, modifiedMs, pipe: undefined };
}

/** Bytes of content in a node and everything below it, within one mount. */
export function heldBytes(node: DiskNode): number {
  if (node.kind === "file") return node.content.length;
  if (node.kind !== "directory") return 0;
  let total = 0;
  for (const child of node.entries.values()) if (child.mount === node.mount) total += heldBytes(child);
  return total;
}
