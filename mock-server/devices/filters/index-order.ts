import { KEY_KINDS } from "../../storage/attribute-keys.ts";
import type { Storage } from "../../storage/index.ts";
import { isDerived } from "../attributes.ts";
import { Scan, type SearchOptions } from "./scan.ts";
import type { AttributeSort } from "./sorting.ts";
import type { FilterTerm } from "./terms.ts";

interface Part {
  readonly limit: number;
  readonly offset: number;
}

/** The order of the kinds of values: as of `compareKeys`. */
const ASCENDING = [KEY_KINDS.number, KEY_KINDS.text, KEY_KINDS.boolean];

/**
 * A part of all devices in the order of one attribute, as the index has it.
 * @returns `undefined` if the index has another order: of lists, and of texts that are longer than their keys.
 */
export async function partInOrder(
  storage: Storage,
  { scope, attribute, order }: AttributeSort,
  part: Part,
  options: SearchOptions,
): Promise<{ readonly ids: readonly string[]; readonly total: number } | undefined> {
  if (isDerived({ scope, attribute }) || attribute.includes("\0")) return undefined;
  const known = await storage.readOne(({ attributeIndex }) => attributeIndex.find({ scope, name: attribute }));
  if (known === undefined || known.hasLists || known.hasCutTexts) return undefined;
  const isWithout: FilterTerm = { scope, attribute, type: "$exists", value: false };
  const without = await Scan.of(storage, { terms: [isWithout] }, options);
  const total = await storage.readOne(({ devices }) => devices.count(undefined));
  const rest = new Rest(part);
  const takeWithout = async (): Promise<void> => {
    const count = without.total ?? 0;
    let passed = 0;
    if (rest.limit > 0 && rest.offset < count) {
      for await (const batch of without.batches()) {
        rest.take(batch.map(({ id }) => id).slice(Math.max(0, rest.offset - passed)));
        passed += batch.length;
        if (rest.limit === 0) break;
      }
    }
    rest.pass(count);
  };
  const takeKind = async (kind: string): Promise<void> => {
    if (rest.limit === 0) return;
    const { limit, offset } = rest;
    const { ids, count } = await storage.read(({ attributeIndex }) =>
      attributeIndex.inOrder(known.id, kind, order, { limit, offset }),
    );
    options.signal?.throwIfAborted();
    rest.take(ids);
    rest.pass(count);
  };
  if (order === "asc") await takeWithout();
  for (const kind of order === "asc" ? ASCENDING : ASCENDING.toReversed()) await takeKind(kind);
  if (order === "desc") await takeWithout();
  return { ids: rest.ids, total };
}

/** What is left of a part, while one list after the other is gone through. */
class Rest {
  readonly ids: string[] = [];
  limit: number;
  offset: number;

  constructor({ limit, offset }: Part) {
    this.limit = limit;
    this.offset = offset;
  }

  /** Takes ids from where the part begins. */
  take(ids: readonly string[]): void {
    const taken = ids.slice(0, this.limit);
    this.ids.push(...taken);
    this.limit -= taken.length;
  }

  /** Goes on behind a list with this number of ids. */
  pass(count: number): void {
    this.offset = Math.max(0, this.offset - count);
  }
}
