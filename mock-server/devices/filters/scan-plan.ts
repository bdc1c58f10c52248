import { given } from "@upkeep/shared/given";
import { timeMs } from "@upkeep/shared/protocol";
import { KEY_KINDS, valueOfKey } from "../../storage/attribute-keys.ts";
import {
  DEVICE_STATUSES,
  type DeviceNarrowing,
  type DeviceStatus,
  type IndexedName,
  type KeyRange,
  type Probe,
  type Records,
} from "../../storage/index.ts";
import { isDerived } from "../attributes.ts";
import { keysOfTerm, type TermKeys } from "./key-ranges.ts";
import { matchesAll } from "./match.ts";
import type { FilterTerm } from "./terms.ts";

/** Which devices are looked at, and how each is checked. All parts must hold. */
export interface ScanPlan {
  readonly candidates: Candidates;
  readonly narrowing: Omit<DeviceNarrowing, "ids">;
  readonly probes: readonly Probe[];
  /** Evaluated on the attributes of each device. */
  readonly residual: readonly FilterTerm[];
  /** The number of devices that meet all conditions, if the index knows. */
  readonly total?: number;
  /** The devices with one of these keys are those that meet all conditions. */
  readonly whole?: { readonly nameId: number; readonly ranges: readonly KeyRange[] };
}

/** The devices that may meet the conditions. */
export type Candidates =
  | { readonly kind: "devices" }
  | { readonly kind: "ids"; readonly ids: readonly string[] }
  /** Those with a key, which the index has by id. */
  | { readonly kind: "key"; readonly nameId: number; readonly key: string }
  /** Those that mention a text. `first`: the first of them, by id. */
  | { readonly kind: "text"; readonly text: string; readonly first: readonly string[] }
  /** Those with any of many keys: sorting them is cheaper than checking all devices. */
  | { readonly kind: "range"; readonly nameId: number; readonly ranges: readonly KeyRange[] };

const NO_DEVICES: ScanPlan = {
  candidates: { kind: "ids", ids: [] },
  narrowing: {},
  probes: [],
  residual: [],
  total: 0,
};

/** A probe looks for each key. */
const PROBED_KEYS_MAX = 50;

export interface ScanLimits {
  /** Devices per read: other requests run between two reads. */
  readonly batch: number;
  /** Devices per read if patterns are matched, which take longer. */
  readonly batchWithPatterns: number;
  /** With more candidates, their sorting costs more than walking all devices. */
  readonly sortedMax: number;
  /** A pattern is matched with fewer different values, to know the keys that it means. */
  readonly expandedMax: number;
}

export const SCAN_LIMITS: ScanLimits = { batch: 1000, batchWithPatterns: 100, sortedMax: 10_000, expandedMax: 1000 };

/** A condition that the index knows. */
interface IndexedTerm {
  readonly term: FilterTerm;
  readonly name: IndexedName;
  readonly keys: TermKeys;
  /** How a device is checked; absent: by its attributes. */
  readonly probe?: Probe;
}

/** The devices that mention a text, with no other condition. Each text is read once: the first are listed, the rest counted. */
export async function planText({ deviceTexts }: Records, text: string, { batch }: ScanLimits): Promise<ScanPlan> {
  const plan = { narrowing: {}, probes: [], residual: [] };
  const ids = await deviceTexts.devices(text, { limit: batch });
  const last = ids.at(-1);
  if (ids.length < batch || last === undefined) {
    return { ...plan, candidates: { kind: "ids", ids }, total: ids.length };
  }
  const total = ids.length + (await deviceTexts.count(text, last));
  return { ...plan, candidates: { kind: "text", text, first: ids }, total };
}

/**
 * @param givenIds Only these.
 * @param text Only devices that mention it.
 */
export async function planScan(
  records: Records,
  terms: readonly FilterTerm[],
  givenIds: readonly string[] | undefined,
  text: string | undefined,
  limits: ScanLimits,
): Promise<ScanPlan> {
  if (text) {
    const mentioned = await records.deviceTexts.devices(text, { limit: limits.sortedMax + 1 });
    if (mentioned.length <= limits.sortedMax) {
      return await planScan(records, terms, bothOf(givenIds, mentioned), undefined, limits);
    }
    const { total, whole, ...plan } = await planScan(records, terms, givenIds, undefined, limits);
    return { ...plan, probes: [...plan.probes, { text, isNegated: false }] };
  }
  const { ids, ...narrowing } = narrow(terms, givenIds);
  const residual: FilterTerm[] = [];
  const indexed: IndexedTerm[] = [];
  for (const term of terms.filter((one) => !isCovered(one, given({ ids, ...narrowing })))) {
    const found = await indexedTerm(records, term, limits);
    if (found === "none") return NO_DEVICES;
    if (found === "residual") residual.push(term);
    else if (found !== "all") indexed.push(found);
  }
  const inOrder = await bySize(records, indexed, limits);
  const [smallest] = inOrder;
  const narrowedCount = await records.devices.countNarrowed(given({ ids, ...narrowing }));
  const isDriven = ids === undefined && smallest !== undefined && smallest.count <= narrowedCount;
  const candidates: Candidates =
    ids !== undefined
      ? { kind: "ids", ids: [...new Set(ids)].sort() }
      : ((isDriven ? candidatesOf(smallest, limits) : undefined) ?? { kind: "devices" });
  const isChecked = ({ term, keys }: IndexedTerm): boolean =>
    keys.isExact && candidates.kind !== "devices" && ids === undefined && term === smallest?.term;
  const left = indexed.filter((one) => !isChecked(one));
  const known = ids === undefined && residual.length === 0 ? await knownTotal(records, indexed, narrowing) : undefined;
  return {
    candidates,
    narrowing,
    probes: left.flatMap(({ probe }) => probe ?? []),
    residual: [...residual, ...left.flatMap(({ term, probe }) => (probe === undefined ? [term] : []))],
    ...known,
  };
}

async function indexedTerm(
  records: Records,
  term: FilterTerm,
  limits: ScanLimits,
): Promise<IndexedTerm | "residual" | "all" | "none"> {
  const keys = isDerived(term) ? undefined : keysOfTerm(term);
  if (keys === undefined) return "residual";
  const { scope, attribute, type } = term;
  const name = await records.attributeIndex.find({ scope, name: attribute });
  // No device has the attribute.
  if (name === undefined) return keys.isNegated ? "all" : "none";
  const known = await expanded(records, term, name, withLongLists(term, name, withoutElements(name, keys)), limits);
  if (type === "$exists") {
    return { term, name, keys: known, probe: { scope, name: attribute, isNegated: known.isNegated } };
  }
  const single = known.ranges.flatMap((range) => ("key" in range ? [range.key] : []));
  const isProbed = known.isExact && single.length === known.ranges.length && single.length <= PROBED_KEYS_MAX;
  if (isProbed && single.length === 0) return known.isNegated ? "all" : "none";
  const probe: Probe = { nameId: name.id, keys: single, isNegated: known.isNegated };
  return { term, name, keys: known, ...(isProbed ? { probe } : {}) };
}

const ELEMENT_KINDS: readonly string[] = [KEY_KINDS.elementBoolean, KEY_KINDS.elementNumber, KEY_KINDS.elementText];

/** Without lists there are no keys of elements: one key is left, whose devices the index has in order. */
function withoutElements({ hasLists }: IndexedName, keys: TermKeys): TermKeys {
  if (hasLists) return keys;
  const isOfElement = (range: KeyRange) =>
    ELEMENT_KINDS.includes(("key" in range ? range.key : range.from).slice(0, 1));
  return { ...keys, ranges: keys.ranges.filter((range) => !isOfElement(range)) };
}

/** The elements of long lists have no keys: devices with such a list must be looked at. */
function withLongLists({ type, value }: FilterTerm, { hasLongLists }: IndexedName, keys: TermKeys): TermKeys {
  if (!hasLongLists || type === "$exists") return keys;
  if (Array.isArray(value) && type !== "$in" && type !== "$nin") return keys;
  return { ...keys, ranges: [...keys.ranges, { key: KEY_KINDS.many }], isExact: false };
}

/** The keys of a pattern, if the attribute has few different values. */
async function expanded(
  records: Records,
  term: FilterTerm,
  { id, hasCutTexts, hasLongLists }: IndexedName,
  keys: TermKeys,
  { expandedMax }: ScanLimits,
): Promise<TermKeys> {
  if (term.type !== "$regex" || keys.isExact || hasCutTexts || hasLongLists) return keys;
  const found: KeyRange[] = [];
  for (const range of keys.ranges) {
    if ("key" in range) return keys;
    const different = await records.attributeIndex.keys(id, range, { after: "", limit: expandedMax });
    if (different.length === expandedMax) return keys;
    for (const { key } of different) if (matchesAll([term], () => valueOfKey(key))) found.push({ key });
  }
  return { ranges: found, isExact: true, isNegated: false };
}

/** Conditions that candidates can come from, those with the fewest devices first. */
async function bySize(
  records: Records,
  indexed: readonly IndexedTerm[],
  { sortedMax }: ScanLimits,
): Promise<readonly (IndexedTerm & { readonly count: number })[]> {
  const sized: (IndexedTerm & { readonly count: number })[] = [];
  for (const one of indexed) {
    if (one.keys.isNegated) continue;
    const count = await records.attributeIndex.count(one.name.id, one.keys.ranges, sortedMax + 1);
    sized.push({ ...one, count });
  }
  return sized.sort((a, b) => a.count - b.count);
}

function candidatesOf(
  { name, keys, count }: IndexedTerm & { readonly count: number },
  { sortedMax }: ScanLimits,
): Candidates | undefined {
  const [range, another] = keys.ranges;
  if (range !== undefined && another === undefined && "key" in range) {
    return { kind: "key", nameId: name.id, key: range.key };
  }
  return count <= sortedMax ? { kind: "range", nameId: name.id, ranges: keys.ranges } : undefined;
}

/** Of one condition alone, the index knows how many devices meet it. */
async function knownTotal(
  records: Records,
  indexed: readonly IndexedTerm[],
  narrowing: DeviceNarrowing,
): Promise<Pick<ScanPlan, "total" | "whole"> | undefined> {
  const [only, another] = indexed;
  if (only === undefined) return { total: await records.devices.countNarrowed(narrowing) };
  if (another !== undefined || Object.keys(narrowing).length > 0 || !only.keys.isExact) return undefined;
  const whole = { nameId: only.name.id, ranges: only.keys.ranges };
  const count = await records.attributeIndex.count(whole.nameId, whole.ranges);
  if (only.keys.isNegated) return { total: (await records.devices.count(undefined)) - count };
  return { total: count, whole };
}

/** The part of the conditions that columns of devices answer. */
function narrow(terms: readonly FilterTerm[], ids: readonly string[] | undefined): DeviceNarrowing {
  const exactly = (scope: string, attribute: string): string | undefined => {
    const term = terms.find((one) => one.scope === scope && one.attribute === attribute && one.type === "$eq");
    // Timestamps are compared as instants, and no column has a NUL.
    const isText = typeof term?.value === "string" && timeMs(term.value) === undefined && !term.value.includes("\0");
    return isText ? String(term.value) : undefined;
  };
  const status = DEVICE_STATUSES.find((one): one is DeviceStatus => one === exactly("identity", "status"));
  const group = exactly("system", "group");
  const id = exactly("identity", "id");
  const narrowed = id === undefined ? ids : (ids ?? [id]).filter((one) => one === id);
  return given({ status, group, ids: narrowed });
}

/** True if the narrowing says all that the condition does. */
function isCovered({ scope, attribute, type, value }: FilterTerm, { status, group, ids }: DeviceNarrowing): boolean {
  if (type !== "$eq") return false;
  switch (`${scope}/${attribute}`) {
    case "identity/status":
      return status === value;
    case "system/group":
      return group === value;
    case "identity/id":
      return ids?.every((id) => id === value) ?? false;
    default:
      return false;
  }
}

/** The ids that are in both lists; a list that is not given has all. */
export function bothOf(
  ids: readonly string[] | undefined,
  others: readonly string[] | undefined,
): readonly string[] | undefined {
  if (ids === undefined || others === undefined) return ids ?? others;
  const known = new Set(others);
  return ids.filter((id) => known.has(id));
}
