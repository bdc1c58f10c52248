import type { SortOrder } from "../../storage/index.ts";
import { type AttributeLookup, type AttributeValue, compareTexts } from "./match.ts";
import type { AttributeScope } from "./terms.ts";

/** A sort criterion. */
export interface AttributeSort {
  readonly scope: AttributeScope;
  readonly attribute: string;
  readonly order: SortOrder;
}

/** The values of a device that determine its position. */
export interface SortKey {
  readonly id: string;
  readonly values: readonly (AttributeValue | undefined)[];
}

export function sortKeyOf(id: string, sort: readonly AttributeSort[], lookup: AttributeLookup): SortKey {
  return { id, values: sort.map(({ scope, attribute }) => lookup(scope, attribute)) };
}

/** Devices without the attribute come first, then numbers, then texts; ties go by id. */
export function compareKeys(sort: readonly AttributeSort[]): (a: SortKey, b: SortKey) => number {
  return (a, b) => {
    for (const [index, { order }] of sort.entries()) {
      const found = compareValues(edge(a.values[index], order), edge(b.values[index], order));
      if (found !== 0) return order === "asc" ? found : -found;
    }
    return compareTexts(a.id, b.id);
  };
}

/** Keys are sorted and truncated when this many more than needed have accumulated. */
const SPARE_KEYS = 1000;

/** Keeps the first `count` devices in sort order, and counts all. */
export class FirstInOrder {
  readonly #count: number;
  readonly #compare: (a: SortKey, b: SortKey) => number;
  #keys: SortKey[] = [];
  #total = 0;

  constructor(sort: readonly AttributeSort[], count: number) {
    this.#count = count;
    this.#compare = compareKeys(sort);
  }

  /** The number of all devices. */
  get total(): number {
    return this.#total;
  }

  add(key: SortKey): void {
    this.#total += 1;
    this.#keys.push(key);
    if (this.#keys.length >= 2 * this.#count + SPARE_KEYS) this.#keys = this.keys();
  }

  keys(): SortKey[] {
    return this.#keys.toSorted(this.#compare).slice(0, this.#count);
  }
}

type Scalar = string | number | boolean;

/** A list sorts by its least element, or by its greatest in descending order. */
function edge(value: AttributeValue | undefined, order: SortOrder): Scalar | undefined {
  if (!Array.isArray(value)) return value as Scalar | undefined;
  const sorted = [...(value as readonly Scalar[])].sort(compareValues);
  return order === "asc" ? sorted[0] : sorted.at(-1);
}

const RANKS: Readonly<Record<string, number>> = { undefined: 0, number: 1, string: 2, boolean: 3 };

function compareValues(a: Scalar | undefined, b: Scalar | undefined): number {
  const ranks = (RANKS[typeof a] ?? 0) - (RANKS[typeof b] ?? 0);
  if (ranks !== 0) return ranks;
  return typeof a === "string" && typeof b === "string" ? compareTexts(a, b) : Number(a ?? 0) - Number(b ?? 0);
}
