import type { Content } from "./content.ts";
import { Disk } from "./disk.ts";
import {
  type DirectoryNode,
  type DiskNode,
  type FileChange,
  type FileNode,
  type NameChange,
  newDirectory,
  newFifo,
  newFile,
  newLink,
} from "./nodes.ts";

/**
 * What became of an unsynced write: lost, kept, or torn. Of a torn one the first `keptBytes` are on the
 * disk, and the rest not at all, or as zeros in a file that has its full length.
 */
export type WriteFate = "lost" | "kept" | { readonly keptBytes: number; readonly zeros: boolean };

/** Decides what a power cut leaves of that which was not synced. Asked in the order of the changes. */
export interface Survival {
  name(change: NameChange): boolean;
  /** A truncation is asked about too: of it, anything torn counts as kept. */
  write(change: FileChange, file: FileNode): WriteFate;
  /** Whether changed permissions are kept. */
  mode(file: FileNode): boolean;
}

export const EVERYTHING_LOST: Survival = { name: () => false, write: () => "lost", mode: () => false };
export const EVERYTHING_KEPT: Survival = { name: () => true, write: () => "kept", mode: () => true };

function tear(change: FileChange, keptBytes: number, zeros: boolean): WriteFate {
  return change.kind === "write" ? { keptBytes, zeros } : "kept";
}

/** Names are kept; of each write only its first half. */
export const EVERY_WRITE_TORN: Survival = {
  name: () => true,
  write: (change) => tear(change, change.kind === "write" ? change.data.length >> 1 : 0, false),
  mode: () => false,
};

/** Names and lengths are kept, and no byte: what file systems with delayed allocation leave behind. */
export const EVERY_WRITE_ZEROS: Survival = {
  name: () => true,
  write: (change) => tear(change, 0, true),
  mode: () => true,
};

/** Bytes are kept, names are not: nobody called `syncDirectory`. */
export const NAMES_LOST: Survival = { name: () => false, write: () => "kept", mode: () => true };

/** Names are kept, bytes are not: nobody called `sync`. */
export const WRITES_LOST: Survival = { name: () => true, write: () => "lost", mode: () => false };

/** Each change by itself: lost, kept or torn, as `fraction` (uniform in [0, 1)) decides. */
export function survivalByChance(fraction: () => number): Survival {
  return {
    name: () => fraction() < 0.5,
    mode: () => fraction() < 0.5,
    write: (change) => {
      const fate = fraction();
      if (fate < 1 / 3) return "lost";
      if (fate < 2 / 3 || change.kind !== "write") return "kept";
      return { keptBytes: Math.floor(fraction() * change.data.length), zeros: fraction() < 0.5 };
    },
  };
}

/** How many changes a power cut now would decide about. */
export function unsyncedChanges(disk: Disk): number {
  let count = disk.nameChanges.length;
  for (const file of disk.unsynced) count += file.changes.length + (file.mode === file.durableMode ? 0 : 1);
  return count;
}

function survivingContent(file: FileNode, survival: Survival): Content {
  let content = file.durable;
  for (const change of file.changes) {
    const fate = survival.write(change, file);
    if (fate === "lost") continue;
    if (change.kind === "truncate") content = content.truncated(0);
    else if (fate === "kept") content = content.written(change.offset, change.data);
    else {
      const torn = change.data.subarray(0, fate.keptBytes);
      if (fate.zeros) {
        const padded = new Uint8Array(change.data.length);
        padded.set(torn);
        content = content.written(change.offset, padded);
      } else if (torn.length > 0) content = content.written(change.offset, torn);
    }
  }
  return content;
}

/**
 * The disk as the next boot finds it after a power cut now. The disk itself is left as it is, so that one
 * instant can be cut in many ways.
 */
export function afterPowerCut(disk: Disk, survival: Survival): Disk {
  const mounts = new Map(disk.mounts.map((mount) => [mount, { ...mount }]));
  const mountOf = (node: DiskNode) => mounts.get(node.mount) ?? node.mount;
  const copies = new Map<DiskNode, DiskNode>();

  const copyFile = (file: FileNode): FileNode => {
    const kept = file.changes.length === 0 ? file.durable : survivingContent(file, survival);
    const mode = file.mode !== file.durableMode && survival.mode(file) ? file.mode : file.durableMode;
    const copy = newFile(mountOf(file), mode, file.modifiedMs, file.kind);
    copy.content = kept;
    copy.durable = kept;
    return copy;
  };
  const copyDirectory = (directory: DirectoryNode): DirectoryNode => {
    const copy = newDirectory(mountOf(directory), directory.durableMode, directory.modifiedMs);
    copies.set(directory, copy);
    // What is in memory is gone; the mount points within it are not.
    for (const [name, node] of directory.durable)
      if (!directory.mount.volatile || node.mount !== directory.mount) copy.entries.set(name, copyOf(node));
    return copy;
  };
  const copyOf = (node: DiskNode): DiskNode => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    let copy: DiskNode;
    if (node.kind === "directory") copy = copyDirectory(node);
    else if (node.kind === "link") copy = newLink(mountOf(node), node.target, node.modifiedMs);
    else if (node.kind === "fifo") copy = newFifo(mountOf(node), node.durableMode, node.modifiedMs);
    else copy = copyFile(node);
    copies.set(node, copy);
    return copy;
  };
  const directoryCopy = (directory: DirectoryNode): DirectoryNode => copyOf(directory) as DirectoryNode;

  const root = copyDirectory(disk.root);
  for (const change of disk.nameChanges) {
    if (change.directory.mount.volatile || !survival.name(change)) continue;
    const { entries } = directoryCopy(change.directory);
    if (change.kind === "add") entries.set(change.name, copyOf(change.node));
    else if (entries.get(change.name) === copies.get(change.node)) entries.delete(change.name);
    if (change.kind === "rename") directoryCopy(change.to).entries.set(change.toName, copyOf(change.node));
  }
  return Disk.holding(root, [...mounts.values()], disk.now);
}
