import { createHash } from "node:crypto";
import type { Content } from "./content.ts";
import type { Disk } from "./disk.ts";
import type { DoubtGroup } from "./doubts.ts";
import type { DiskNode, Entry, FileChange, FileNode } from "./nodes.ts";

const digests = new WeakMap<Uint8Array, string>();

function digestOf(bytes: Uint8Array): string {
  let digest = digests.get(bytes);
  if (digest === undefined) {
    digest = bytes.length < 32 ? Buffer.from(bytes).toString("latin1") : sha256(bytes);
    digests.set(bytes, digest);
  }
  return digest;
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("base64");
}

const contentOf = ({ bytes }: Content): string => digestOf(bytes);
const changesOf = (changes: readonly FileChange[]): string =>
  changes.map((change) => (change.kind === "write" ? `${change.offset}:${digestOf(change.data)}` : "truncate")).join();

/** Writes down everything that a machine could ever learn of a disk, what is in doubt as being in doubt. */
class Writer {
  readonly #parts: string[] = [];
  readonly #known = new Map<DiskNode | DoubtGroup, number>();
  /** Whether anything was met that a power cut left undecided. */
  inDoubt = false;

  get text(): string {
    return this.#parts.join("\n");
  }

  node(node: DiskNode): void {
    if (this.#repeats(node)) return;
    const { kind } = node;
    if (kind === "directory") {
      this.#parts.push(`${kind} ${node.mount.path} ${node.mode} ${node.modifiedMs} ${node.entries.size}`);
      for (const name of [...node.entries.keys()].sort()) {
        this.#parts.push(name);
        this.#entry(node.entries.get(name) as Entry);
      }
    } else if (kind === "link") this.#parts.push(`${kind} ${node.target}`);
    else if (kind === "fifo") this.#parts.push(`${kind} ${node.mode}`);
    else this.#file(node);
  }

  /** What several names lead to is written once. */
  #repeats(what: DiskNode | DoubtGroup): boolean {
    const known = this.#known.get(what);
    if (known === undefined) this.#known.set(what, this.#known.size);
    else this.#parts.push(`see ${known}`);
    return known !== undefined;
  }

  #file(file: FileNode): void {
    const { doubt, kind, modifiedMs } = file;
    if (doubt === undefined) this.#parts.push(`${kind} ${file.mode} ${modifiedMs}`, contentOf(file.content));
    else {
      this.inDoubt = true;
      this.#parts.push(
        `${kind} ${doubt.durableMode} ${doubt.mode} ${modifiedMs}`,
        contentOf(doubt.content),
        changesOf(doubt.changes),
      );
    }
  }

  #entry(entry: Entry): void {
    if (entry.kind !== "doubt") {
      this.node(entry);
      return;
    }
    if (entry.settled) {
      const node = entry.settle();
      if (node === undefined) this.#parts.push("nothing");
      else this.node(node);
      return;
    }
    this.inDoubt = true;
    const { group } = entry;
    const numbers = new Map(group.names.map((name, index) => [name, index]));
    this.#parts.push(`doubt ${numbers.get(entry)}`);
    if (this.#repeats(group)) return;
    for (const { before } of group.names)
      if (before === undefined) this.#parts.push("nothing");
      else this.node(before);
    for (const change of group.changes) {
      const to = change.kind === "rename" ? numbers.get(change.to) : "";
      this.#parts.push(`${change.kind} ${numbers.get(change.name)} ${to}`);
      if (change.node !== undefined) this.node(change.node);
    }
  }
}

function described(disk: Disk): Writer {
  const writer = new Writer();
  writer.node(disk.root);
  return writer;
}

/**
 * Two disks with the same fingerprint are the same to every program that will ever run on them, with the same
 * answers of a `Survival`. For disks that a power cut left: nothing on them is unsynced.
 */
export function fingerprint(disk: Disk): string {
  return sha256(described(disk).text);
}

/** The {@link fingerprint} of a disk on which nothing is undecided; `undefined` if anything is. */
export function decidedFingerprint(disk: Disk): string | undefined {
  const { inDoubt, text } = described(disk);
  return inDoubt ? undefined : sha256(text);
}
