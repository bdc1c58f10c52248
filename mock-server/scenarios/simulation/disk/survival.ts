import type { Content } from "./content.ts";
import { Disk } from "./disk.ts";
import { DoubtGroup, type FileDoubt, NameDoubt } from "./doubts.ts";
import {
  type DirectoryNode,
  type DiskNode,
  type Entry,
  type FileChange,
  FileNode,
  type Mount,
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

/**
 * Decides which unsynced changes survive a power cut. Asked about a file or a name at the first access after the
 * cut (about names that a rename connects, at the same time); never without an
 * access: then the decision makes no difference.
 */
export interface Survival {
  name(): boolean;
  /** A truncation is asked about too: of it, anything torn counts as kept. */
  write(change: FileChange): WriteFate;
  /** Whether changed permissions are kept. */
  mode(): boolean;
}

export const EVERYTHING_LOST: Survival = { name: () => false, write: () => "lost", mode: () => false };
export const EVERYTHING_KEPT: Survival = { name: () => true, write: () => "kept", mode: () => true };

function tooEarly(): never {
  throw new TypeError("a disk was read whose changes in doubt are undecided");
}

/** For a disk that is never read, only copied. */
export const UNDECIDED: Survival = { name: tooEarly, write: tooEarly, mode: tooEarly };

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

/** Bytes are kept, names are not: `syncDirectory` was not called. */
export const NAMES_LOST: Survival = { name: () => false, write: () => "kept", mode: () => true };

/** Names are kept, bytes are not: `sync` was not called. */
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

function survivingContent({ content: durable, changes }: FileDoubt, survival: Survival): Content {
  let content = durable;
  let ended = false;
  for (const change of changes) {
    const appended = change.kind === "write" && change.appended === true;
    if (appended && ended) continue;
    const fate = survival.write(change);
    ended ||= appended && fate !== "kept";
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
 * instant can be cut in many ways. What `survival` decides later is decided on the new disk alone.
 */
export function afterPowerCut(disk: Disk, survival: Survival): Disk {
  const mounts = mountCopies(disk);
  const { root, entryCopy, directoryCopy } = copied(disk, mounts, survival);
  const doubtAt = ({ entries }: DirectoryNode, name: string): NameDoubt => {
    const entry = entries.get(name);
    if (entry?.kind === "doubt") return entry;
    const doubt = new NameDoubt(entry, new DoubtGroup(() => survival.name()));
    entries.set(name, doubt);
    return doubt;
  };
  for (const change of disk.nameChanges) {
    if (change.directory.mount.volatile) continue;
    const name = doubtAt(directoryCopy(change.directory), change.name);
    const copy = entryCopy(change.node);
    // What was in doubt already is removed, whatever it is.
    const node = copy instanceof NameDoubt ? undefined : copy;
    if (change.kind === "rename") {
      const to = doubtAt(directoryCopy(change.to), change.toName);
      name.group.absorb(to.group);
      name.group.changes.push({ kind: "rename", name, to, node });
    } else if (change.kind === "remove") name.group.changes.push({ kind: "remove", name, node });
    else if (node !== undefined) name.group.changes.push({ kind: "add", name, node });
  }
  return Disk.holding(root, [...mounts.values()], disk.now);
}

/**
 * The disk as the next boot finds it after an orderly end: all of it is synced. What an earlier power cut left
 * undecided stays so, and is decided by whom it was to be decided by.
 */
export function afterShutdown(disk: Disk): Disk {
  disk.syncAll();
  const mounts = mountCopies(disk);
  return Disk.holding(copied(disk, mounts).root, [...mounts.values()], disk.now);
}

function mountCopies(disk: Disk): ReadonlyMap<Mount, Mount> {
  return new Map(disk.mounts.map((mount) => [mount, { ...mount }]));
}

/**
 * A copy of what is durable, files that have changed and names in doubt being in doubt.
 * @param survival Decides about all of them, in place of an earlier decision maker.
 */
function copied(disk: Disk, mounts: ReadonlyMap<Mount, Mount>, survival?: Survival) {
  const nodes = new Map<DiskNode, DiskNode>();
  const doubts = new Map<NameDoubt, NameDoubt>();
  const mountOf = (node: DiskNode) => mounts.get(node.mount) ?? node.mount;
  const settle =
    survival &&
    ((doubt: FileDoubt) => ({
      content: survivingContent(doubt, survival),
      mode: doubt.mode !== doubt.durableMode && survival.mode() ? doubt.mode : doubt.durableMode,
    }));

  const copyFile = (file: FileNode): FileNode => {
    const { doubt, modifiedMs, kind } = file;
    if (doubt !== undefined)
      return new FileNode(mountOf(file), 0, modifiedMs, kind, { ...doubt, settle: settle ?? doubt.settle });
    const { mode, durableMode, durable, changes } = file;
    if (settle !== undefined && (changes.length > 0 || mode !== durableMode))
      return new FileNode(mountOf(file), 0, modifiedMs, kind, { content: durable, changes, mode, durableMode, settle });
    const copy = newFile(mountOf(file), mode, modifiedMs, kind);
    copy.content = durable;
    copy.durable = durable;
    return copy;
  };
  const copyDirectory = (directory: DirectoryNode): DirectoryNode => {
    const copy = newDirectory(mountOf(directory), directory.durableMode, directory.modifiedMs);
    nodes.set(directory, copy);
    const { volatile } = directory.mount;
    for (const [name, entry] of directory.durable) {
      // What is in memory is gone; the mount points within it are not.
      if (volatile && (entry.kind === "doubt" || entry.mount === directory.mount)) continue;
      const kept = entryCopy(entry);
      if (kept !== undefined) copy.entries.set(name, kept);
    }
    return copy;
  };
  const copyOfName = (name: NameDoubt): NameDoubt => doubts.get(name) as NameDoubt;
  const copyGroup = ({ names, changes, survives }: DoubtGroup): void => {
    const group = new DoubtGroup(survival === undefined ? survives : () => survival.name());
    // First all of them: what one names may contain another.
    for (const name of names) doubts.set(name, new NameDoubt(undefined, group));
    for (const name of names) copyOfName(name).before = name.before && copyOf(name.before);
    for (const change of changes) {
      const name = copyOfName(change.name);
      const node = change.node && copyOf(change.node);
      if (change.kind === "rename") group.changes.push({ ...change, name, to: copyOfName(change.to), node });
      else if (change.kind === "remove") group.changes.push({ ...change, name, node });
      else group.changes.push({ ...change, name, node: copyOf(change.node) });
    }
  };
  const entryCopy = (entry: Entry): Entry | undefined => {
    if (entry.kind !== "doubt") return copyOf(entry);
    if (entry.settled) {
      const node = entry.settle();
      return node && copyOf(node);
    }
    if (!doubts.has(entry)) copyGroup(entry.group);
    return doubts.get(entry);
  };
  const copyOf = (node: DiskNode): DiskNode => {
    const known = nodes.get(node);
    if (known !== undefined) return known;
    let copy: DiskNode;
    if (node.kind === "directory") copy = copyDirectory(node);
    else if (node.kind === "link") copy = newLink(mountOf(node), node.target, node.modifiedMs);
    else if (node.kind === "fifo") copy = newFifo(mountOf(node), node.durableMode, node.modifiedMs);
    else copy = copyFile(node);
    nodes.set(node, copy);
    return copy;
  };
  const directoryCopy = (directory: DirectoryNode): DirectoryNode => copyOf(directory) as DirectoryNode;
  return { root: directoryCopy(disk.root), entryCopy, directoryCopy };
}
