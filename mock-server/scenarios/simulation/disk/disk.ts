import { isSystemError, SystemError } from "@upkeep/shared/system";
import { Content } from "./content.ts";
import {
  type DirectoryNode,
  type DiskNode,
  type Entry,
  type FileNode,
  heldSpace,
  lookUp,
  type Mount,
  type NameChange,
  namedIn,
  newDirectory,
  newFifo,
  newFile,
  newLink,
  wholeBlocks,
} from "./nodes.ts";

const LINKS_MAX = 40;

export function diskError(code: string, operation: string, path: string): SystemError {
  return new SystemError(code, `${code}: ${operation} '${path}'`);
}

function mountOf(options: MountOptions): Mount {
  const { path, capacityBytes, blockBytes = 1, inodes, readOnly = false, noexec = false, volatile = false } = options;
  return {
    path,
    capacityBytes: capacityBytes ?? Number.POSITIVE_INFINITY,
    blockBytes,
    inodes: inodes ?? Number.POSITIVE_INFINITY,
    readOnly,
    noexec,
    volatile,
  };
}

interface Place {
  /** The directories on the way, the root first. */
  readonly trail: readonly DirectoryNode[];
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: DiskNode | undefined;
}

export interface MountOptions {
  readonly path: string;
  readonly capacityBytes?: number;
  /** 1 if absent. */
  readonly blockBytes?: number;
  readonly inodes?: number;
  readonly readOnly?: boolean;
  readonly noexec?: boolean;
  /** In memory: empty after each boot. */
  readonly volatile?: boolean;
}

/**
 * A disk that knows what was written and what was synced. Synchronous: the door makes its calls of it.
 *
 * What it promises after a power cut, and no more: a file's bytes as of the last `sync`, the names of a
 * directory as of the last `syncDirectory`. Changes since then survive or not, each by itself and in any
 * combination (`survival.ts`), except that a rename is one change and never done by half, and that what was
 * appended to a file survives in order, as it does on file systems that write data before the new length: nothing
 * of it after something that is not there as a whole. A log of many unsynced lines has few fates thereby.
 */
export class Disk {
  readonly root: DirectoryNode;
  readonly mounts: Mount[];
  /** Changes of names that are not durable yet, in order. */
  nameChanges: NameChange[] = [];
  /** Files whose bytes or permissions are not durable yet. */
  readonly unsynced = new Set<FileNode>();
  /** Moves with every change of what a power cut could leave. */
  version = 0;
  /** Time stamps of files come from here: milliseconds since the Unix epoch. */
  now: () => number;

  private constructor(root: DirectoryNode, mounts: Mount[], now: () => number) {
    this.root = root;
    this.mounts = mounts;
    this.now = now;
  }

  /** An empty disk. */
  static blank(options: { readonly capacityBytes?: number; readonly now?: () => number } = {}): Disk {
    const { capacityBytes = Number.POSITIVE_INFINITY, now = () => 0 } = options;
    const mount = mountOf({ path: "/", capacityBytes });
    return new Disk(newDirectory(mount, 0o755, 0), [mount], now);
  }

  /** A disk that holds this tree, all of it durable. */
  static holding(root: DirectoryNode, mounts: Mount[], now: () => number): Disk {
    return new Disk(root, mounts, now);
  }

  /** A file system of its own at `path`, which is made if it is not there. Survives power cuts by itself. */
  addMount(options: MountOptions): Mount {
    const { path } = options;
    const mount = mountOf(options);
    const at = path.lastIndexOf("/");
    const parent = this.makeDirectory(at <= 0 ? "/" : path.slice(0, at), 0o755);
    const name = path.slice(at + 1);
    if (lookUp(parent.entries, name) !== undefined) throw diskError("EEXIST", "mount", path);
    const top = newDirectory(mount, 0o755, this.now());
    parent.entries.set(name, top);
    // Part of the machine, not of what its programs do.
    if (parent.entries !== parent.durable) parent.durable.set(name, top);
    this.mounts.push(mount);
    return mount;
  }

  /** The mount at exactly this path. */
  mount(path: string): Mount {
    const mount = this.mounts.find((one) => one.path === path);
    if (mount === undefined) throw diskError("ENODEV", "mount", path);
    return mount;
  }

  find(path: string, operation = "stat"): DiskNode | undefined {
    return this.#place(path, operation, true).node;
  }

  /** Like {@link find}, without following a link at the end. */
  findSelf(path: string, operation = "lstat"): DiskNode | undefined {
    return this.#place(path, operation, false).node;
  }

  directory(path: string, operation: string): DirectoryNode {
    const node = this.find(path, operation);
    if (node === undefined) throw diskError("ENOENT", operation, path);
    if (node.kind !== "directory") throw diskError("ENOTDIR", operation, path);
    return node;
  }

  /** The path with every link in it resolved. */
  realPath(path: string): string {
    const { trail, name, node } = this.#place(path, "realpath", true);
    if (node === undefined) throw diskError("ENOENT", "realpath", path);
    const names = trail.slice(1).map((directory, index) => nameIn(trail[index] as DirectoryNode, directory));
    return `/${[...names, ...(node === trail.at(-1) ? [] : [name])].join("/")}`;
  }

  /** The target of a link; `undefined` if `path` is none. */
  readLink(path: string): string | undefined {
    try {
      const node = this.findSelf(path, "readlink");
      return node?.kind === "link" ? node.target : undefined;
    } catch (error) {
      if (isSystemError(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  freeBytes(path: string): number {
    const node = this.find(path, "statfs");
    if (node === undefined) throw diskError("ENOENT", "statfs", path);
    return this.#freeBytes(node.mount);
  }

  #freeBytes(mount: Mount): number {
    const { capacityBytes } = mount;
    return capacityBytes === Number.POSITIVE_INFINITY ? capacityBytes : capacityBytes - this.#used(mount).bytes;
  }

  #used(mount: Mount): ReturnType<typeof heldSpace> {
    return heldSpace(mount.path === "/" ? this.root : (this.find(mount.path) ?? this.root));
  }

  #demandInode(mount: Mount, operation: string, path: string): void {
    if (mount.inodes === Number.POSITIVE_INFINITY) return;
    if (this.#used(mount).inodes >= mount.inodes) throw diskError("ENOSPC", operation, path);
  }

  /** Find or make a file to be opened for writing. `fresh`: fail if the name is taken. */
  openForWriting(path: string, permissions: number, fresh: boolean): FileNode {
    const { directory, name, node } = this.#place(path, "open", !fresh);
    if (node === undefined) {
      this.#refuseReadOnly(directory.mount, "open", path);
      this.#demandInode(directory.mount, "open", path);
      const file = newFile(directory.mount, permissions, this.now());
      this.#add(directory, name, file);
      return file;
    }
    if (fresh) throw diskError("EEXIST", "open", path);
    if (node.kind === "directory") throw diskError("EISDIR", "open", path);
    if (node.kind !== "file" && node.kind !== "device") throw diskError("ENXIO", "open", path);
    if (node.kind === "file") this.#refuseReadOnly(node.mount, "open", path);
    return node;
  }

  truncate(file: FileNode): void {
    if (file.kind === "device" || file.content.length === 0) return;
    file.content = file.content.truncated(0);
    this.#changed(file, { kind: "truncate" });
  }

  /** Write; what does not fit any more is not written, and the error says so. */
  write(file: FileNode, offset: number, data: Uint8Array, path: string, appended?: true): void {
    if (data.length === 0) return;
    const fits = data.subarray(0, Math.max(0, this.#lengthMax(file, offset + data.length) - offset));
    if (fits.length > 0) {
      const kept = fits.slice();
      file.content = file.content.written(offset, kept);
      file.modifiedMs = this.now();
      this.#changed(file, { kind: "write", offset, data: kept, ...(appended && { appended }) });
    }
    if (fits.length < data.length) throw diskError("ENOSPC", "write", path);
  }

  /** How long a file can become that is to be of this length. */
  #lengthMax(file: FileNode, wanted: number): number {
    const { content, mount, kind } = file;
    if (wanted <= content.length) return wanted;
    // A device has the size that it has.
    if (kind === "device") return content.length;
    const allocated = wholeBlocks(content.length, mount);
    if (wanted <= allocated) return wanted;
    const free = this.#freeBytes(mount);
    return Math.min(wanted, allocated + Math.max(0, free - (free % mount.blockBytes || 0)));
  }

  sync(file: FileNode): void {
    if (!this.unsynced.delete(file)) return;
    file.durable = file.content;
    file.durableMode = file.mode;
    file.changes = [];
    this.version++;
  }

  setPermissions(path: string, permissions: number): void {
    const node = this.find(path, "chmod");
    if (node === undefined) throw diskError("ENOENT", "chmod", path);
    this.#refuseReadOnly(node.mount, "chmod", path);
    node.mode = permissions;
    // Only a file has a handle to sync; of the others it is taken for durable at once.
    if (node.kind === "file") this.unsynced.add(node);
    else node.durableMode = permissions;
    this.version++;
  }

  makeDirectory(path: string, permissions: number): DirectoryNode {
    let { root: at } = this as { root: DirectoryNode };
    let walked = "";
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      walked += `/${name}`;
      let next = lookUp(at.entries, name);
      if (next?.kind === "link") next = this.find(walked, "mkdir");
      if (next === undefined) {
        this.#refuseReadOnly(at.mount, "mkdir", path);
        this.#demandInode(at.mount, "mkdir", path);
        next = newDirectory(at.mount, permissions, this.now());
        this.#add(at, name, next);
      }
      if (next.kind !== "directory") throw diskError(walked === path ? "EEXIST" : "ENOTDIR", "mkdir", path);
      at = next;
    }
    return at;
  }

  makeFifo(path: string, permissions: number): void {
    const { directory, name, node } = this.#place(path, "mkfifo", false);
    if (node !== undefined) throw diskError("EEXIST", "mkfifo", path);
    this.#refuseReadOnly(directory.mount, "mkfifo", path);
    this.#demandInode(directory.mount, "mkfifo", path);
    this.#add(directory, name, newFifo(directory.mount, permissions, this.now()));
  }

  makeLink(path: string, target: string): void {
    const { directory, name, node } = this.#place(path, "symlink", false);
    if (node !== undefined) throw diskError("EEXIST", "symlink", path);
    this.#add(directory, name, newLink(directory.mount, target, this.now()));
  }

  /** A block device of this size, such as the partition of a root file system. Its name is part of the machine. */
  makeDevice(path: string, sizeBytes: number): FileNode {
    const { directory, name, node } = this.#place(path, "mknod", false);
    if (node !== undefined) throw diskError("EEXIST", "mknod", path);
    const device = newFile(directory.mount, 0o600, this.now(), "device");
    device.content = Content.of(new Uint8Array(sizeBytes));
    device.durable = device.content;
    this.#add(directory, name, device);
    this.syncDirectory(directory);
    return device;
  }

  rename(from: string, to: string): void {
    const source = this.#place(from, "rename", false);
    if (source.node === undefined) throw diskError("ENOENT", "rename", from);
    const target = this.#place(to, "rename", false);
    this.#refuseReadOnly(source.directory.mount, "rename", from);
    if (source.directory.mount !== target.directory.mount) throw diskError("EXDEV", "rename", to);
    if (target.node === source.node) return;
    if (target.node?.kind === "directory") {
      if (source.node.kind !== "directory") throw diskError("EISDIR", "rename", to);
      if (!namedIn(target.node.entries).next().done) throw diskError("ENOTEMPTY", "rename", to);
    } else if (target.node !== undefined && source.node.kind === "directory") throw diskError("ENOTDIR", "rename", to);
    if (source.node.kind === "directory" && `${to}/`.startsWith(`${from}/`)) throw diskError("EINVAL", "rename", to);
    this.#own(source.directory).delete(source.name);
    this.#own(target.directory).set(target.name, source.node);
    this.nameChanges.push({
      kind: "rename",
      directory: source.directory,
      name: source.name,
      to: target.directory,
      toName: target.name,
      node: source.node,
    });
    this.version++;
  }

  /** Remove a file or a whole tree, names one by one from below. Nothing happens if it is not there. */
  remove(path: string): void {
    let place: Place;
    try {
      place = this.#place(path, "remove", false);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return;
      throw error;
    }
    const { directory, name, node } = place;
    if (node === undefined) return;
    if (node.kind === "directory" && node.mount.path === path) throw diskError("EBUSY", "remove", path);
    this.#refuseReadOnly(directory.mount, "remove", path);
    this.#removeNode(directory, name, node);
  }

  /** Removing an entry in doubt does not decide it. */
  #removeNode(directory: DirectoryNode, name: string, entry: Entry): void {
    const nodes = entry.kind === "doubt" ? entry.possible : [entry];
    for (const node of nodes)
      if (node.kind === "directory")
        for (const [below, child] of [...node.entries]) this.#removeNode(node, below, child);
    this.#own(directory).delete(name);
    this.nameChanges.push({ kind: "remove", directory, name, node: entry });
    this.version++;
  }

  /**
   * Make the names in a directory durable. A rename across directories is with either of them, and with it
   * what happened before in both: file systems keep that order.
   */
  syncDirectory(directory: DirectoryNode): void {
    if (this.nameChanges.length === 0) return;
    const concerned = new Set([directory]);
    const synced: NameChange[] = [];
    const left: NameChange[] = [];
    for (const change of this.nameChanges.reverse()) {
      const to = change.kind === "rename" ? change.to : change.directory;
      if (concerned.has(change.directory) || concerned.has(to)) {
        synced.push(change);
        concerned.add(change.directory).add(to);
      } else left.push(change);
    }
    this.nameChanges = left.reverse();
    if (synced.length === 0) return;
    for (const change of synced.reverse()) applyDurably(change);
    directory.durable = directory.entries;
    this.version++;
  }

  /** Everything durable at once: what an orderly shutdown does. */
  syncAll(): void {
    for (const change of this.nameChanges) applyDurably(change);
    this.nameChanges = [];
    for (const file of [...this.unsynced]) this.sync(file);
    this.version++;
  }

  #add(directory: DirectoryNode, name: string, node: DiskNode): void {
    this.#own(directory).set(name, node);
    this.nameChanges.push({ kind: "add", directory, name, node });
    this.version++;
  }

  #changed(file: FileNode, change: FileNode["changes"][number]): void {
    file.changes.push(change);
    this.unsynced.add(file);
    this.version++;
  }

  /** The directory's names, for changing: no longer shared with what is durable. */
  #own(directory: DirectoryNode): Map<string, Entry> {
    if (directory.entries === directory.durable) directory.entries = new Map(directory.durable);
    directory.modifiedMs = this.now();
    return directory.entries;
  }

  #refuseReadOnly(mount: Mount, operation: string, path: string): void {
    if (mount.readOnly) throw diskError("EROFS", operation, path);
  }

  /** Where `path` leads; `node` is absent if only its last name does not exist. */
  #place(path: string, operation: string, follow: boolean): Place {
    let names: readonly string[] = namesOf(path, operation);
    let links = 0;
    const trail: DirectoryNode[] = [this.root];
    for (let index = 0; ; ) {
      const directory = trail[trail.length - 1] as DirectoryNode;
      const name = names[index++];
      if (name === undefined) return { trail, directory, name: ".", node: directory };
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const node = lookUp(directory.entries, name);
      const last = index === names.length;
      if (node?.kind === "link" && (follow || !last)) {
        if (++links > LINKS_MAX) throw diskError("ELOOP", operation, path);
        if (node.target.startsWith("/")) trail.length = 1;
        names = [...namesOf(`/${node.target}`, operation), ...names.slice(index)];
        index = 0;
      } else if (last) return { trail, directory, name, node };
      else if (node === undefined) throw diskError("ENOENT", operation, path);
      else if (node.kind !== "directory") throw diskError("ENOTDIR", operation, path);
      else trail.push(node);
    }
  }
}

/** Paths repeat: millions of calls name the same few. */
const knownPaths = new Map<string, readonly string[]>();
const KNOWN_PATHS_MAX = 4096;

function namesOf(path: string, operation: string): readonly string[] {
  const known = knownPaths.get(path);
  if (known !== undefined) return known;
  if (!path.startsWith("/")) throw diskError("EINVAL", operation, path);
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (knownPaths.size >= KNOWN_PATHS_MAX) knownPaths.clear();
  knownPaths.set(path, names);
  return names;
}

function nameIn(parent: DirectoryNode, node: DiskNode): string {
  for (const [name, child] of namedIn(parent.entries)) if (child === node) return name;
  return "";
}

/** Do a change of names to what is durable. */
function applyDurably(change: NameChange): void {
  const durable = (directory: DirectoryNode): Map<string, Entry> => {
    if (directory.durable === directory.entries) directory.durable = new Map(directory.durable);
    return directory.durable;
  };
  if (change.kind === "add") durable(change.directory).set(change.name, change.node);
  else durable(change.directory).delete(change.name);
  if (change.kind === "rename") durable(change.to).set(change.toName, change.node);
}
