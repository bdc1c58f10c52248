import { timeMs } from "@upkeep/shared/protocol";
import {
  above,
  below,
  elementKey,
  FIRST_OWN_KEY,
  instantKey,
  isCut,
  KEY_KINDS,
  type KeyRange,
  listKey,
  scalarKey,
  wholeKind,
  withPrefix,
} from "../../storage/attribute-keys.ts";
import { literalPrefix } from "./literal-prefix.ts";
import type { FilterScalar, FilterTerm } from "./terms.ts";

/** The keys of the index that a condition means. */
export interface TermKeys {
  readonly ranges: readonly KeyRange[];
  /** False: some devices with such a key do not meet the condition. All that meet it have one, either way. */
  readonly isExact: boolean;
  /** True: the devices that do not have such a key meet it. */
  readonly isNegated: boolean;
}

/** No key has it. */
const NUL = "\0";

/** @returns `undefined` if the keys do not tell. */
export function keysOfTerm({ attribute, type, value }: FilterTerm): TermKeys | undefined {
  if (attribute.includes(NUL) || [value].flat().some((one) => typeof one === "string" && one.includes(NUL))) {
    return undefined;
  }
  const list = Array.isArray(value) ? (value as readonly FilterScalar[]) : undefined;
  const scalar = value as FilterScalar;
  switch (type) {
    case "$exists":
      return { ranges: [{ from: FIRST_OWN_KEY, before: "{" }], isExact: true, isNegated: value === false };
    case "$eq":
    case "$ne":
      return { ...(list === undefined ? equal([scalar]) : equalList(list)), isNegated: type === "$ne" };
    case "$in":
    case "$nin":
      return { ...equal(list ?? []), isNegated: type === "$nin" };
    case "$gt":
    case "$gte":
      return list === undefined ? ordered(scalar, above, type === "$gte") : anyList();
    case "$lt":
    case "$lte":
      return list === undefined ? ordered(scalar, below, type === "$lte") : anyList();
    case "$regex": {
      const { prefix, isAll } = literalPrefix(String(value));
      const isWhole = isAll && !isCut(prefix);
      const ranges = [scalarKey(prefix), elementKey(prefix)].map(withPrefix);
      return { ranges, isExact: isWhole, isNegated: false };
    }
  }
}

function equal(values: readonly FilterScalar[]): Omit<TermKeys, "isNegated"> {
  const keys = new Set<string>();
  for (const value of values) {
    const ms = typeof value === "string" ? timeMs(value) : undefined;
    // Two timestamps are equal if their instants are, and a text that is none never equals one.
    for (const key of ms === undefined ? [scalarKey(value), elementKey(value)] : [instantKey(ms)]) keys.add(key);
  }
  const isExact = !values.some((value) => typeof value === "string" && isCut(value));
  return { ranges: [...keys].map((key) => ({ key })), isExact };
}

function equalList(list: readonly FilterScalar[]): Omit<TermKeys, "isNegated"> {
  return { ranges: [{ key: listKey(list) }], isExact: true };
}

function anyList(): TermKeys {
  return { ranges: [wholeKind(KEY_KINDS.list)], isExact: false, isNegated: false };
}

function ordered(value: FilterScalar, bound: typeof above, orEqual: boolean): TermKeys {
  const ms = typeof value === "string" ? timeMs(value) : undefined;
  const isExact = typeof value !== "string" || (ms === undefined && !isCut(value));
  const ranges = [scalarKey(value), elementKey(value)].map((key) => bound(key, orEqual || !isExact));
  // Timestamps compare as instants, and other texts with a timestamp by their letters: both are looked at again.
  return {
    ranges: ms === undefined ? ranges : [...ranges, bound(instantKey(ms), orEqual)],
    isExact,
    isNegated: false,
  };
}
