import type { Content } from "./content.ts";
import type { DiskNode, FileChange } from "./nodes.ts";

/** Changes of a file that a power cut left in doubt: decided at the first read. */
export interface FileDoubt {
  readonly content: Content;
  readonly changes: readonly FileChange[];
  readonly durableMode: number;
  readonly mode: number;
  settle(doubt: FileDoubt): { readonly content: Content; readonly mode: number };
}

/** A change of names of which a power cut left undecided whether it survives. Without `node` it removes whatever is there. */
export type DoubtfulChange =
  | { readonly kind: "add"; readonly name: NameDoubt; readonly node: DiskNode }
  | { readonly kind: "remove"; readonly name: NameDoubt; readonly node: DiskNode | undefined }
  | { readonly kind: "rename"; readonly name: NameDoubt; readonly to: NameDoubt; readonly node: DiskNode | undefined };

/** Names that a rename connects: one decision holds for all of them. */
export class DoubtGroup {
  names: NameDoubt[] = [];
  readonly changes: DoubtfulChange[] = [];
  /** Asked about each change at the first read. */
  readonly survives: () => boolean;

  constructor(survives: () => boolean) {
    this.survives = survives;
  }

  /** Take another group's names and changes in. */
  absorb(other: DoubtGroup): void {
    if (other === this) return;
    for (const name of other.names) name.group = this;
    this.names.push(...other.names);
    this.changes.push(...other.changes);
  }

  settle(): void {
    const nodes = new Map(this.names.map((name) => [name, name.before]));
    for (const change of this.changes) {
      if (!this.survives()) continue;
      const { kind, name, node } = change;
      if (kind === "add") nodes.set(name, node);
      else if (kind === "rename") nodes.set(change.to, node);
      if (kind !== "add" && (node === undefined || nodes.get(name) === node)) nodes.set(name, undefined);
    }
    for (const [name, node] of nodes) name.decide(node);
  }
}

/** A name whose existence a power cut left in doubt: decided at the first look-up. */
export class NameDoubt {
  readonly kind = "doubt";
  before: DiskNode | undefined;
  group: DoubtGroup;
  #settled = false;
  #node: DiskNode | undefined;

  constructor(before: DiskNode | undefined, group: DoubtGroup) {
    this.before = before;
    this.group = group;
    group.names.push(this);
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** The nodes that it may name. */
  get possible(): readonly DiskNode[] {
    if (this.#settled) return this.#node === undefined ? [] : [this.#node];
    const nodes = this.before === undefined ? [] : [this.before];
    for (const change of this.group.changes) {
      const named = change.kind === "rename" ? change.to : change.name;
      if (named === this && change.kind !== "remove" && change.node !== undefined) nodes.push(change.node);
    }
    return nodes;
  }

  settle(): DiskNode | undefined {
    if (!this.#settled) this.group.settle();
    return this.#node;
  }

  decide(node: DiskNode | undefined): void {
    this.#settled = true;
    this.#node = node;
  }
}
