import { timeMs } from "@upkeep/shared/protocol";
import { patternOf } from "./pattern.ts";
import type { AttributeScope, FilterScalar, FilterTerm, FilterValue } from "./terms.ts";

export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];

/** The value of an attribute of a device; `undefined` if it has none. */
export type AttributeLookup = (scope: AttributeScope, name: string) => AttributeValue | undefined;

/**
 * True if a device meets all conditions, with the semantics of MongoDB: a list matches with one of its elements or as
 * a whole; `$ne` and `$nin` match a device without the attribute; values of different types are never equal, less or
 * greater. Two timestamps are compared as instants.
 */
export function matchesAll(terms: readonly FilterTerm[], attribute: AttributeLookup): boolean {
  return terms.every((term) => matches(term, attribute(term.scope, term.attribute)));
}

function matches({ type, value }: FilterTerm, actual: AttributeValue | undefined): boolean {
  switch (type) {
    case "$exists":
      return (actual !== undefined) === value;
    case "$eq":
      return equals(actual, value);
    case "$ne":
      return !equals(actual, value);
    case "$in":
      return isAmong(actual, value);
    case "$nin":
      return !isAmong(actual, value);
    case "$gt":
      return compares(actual, value, (order) => order > 0);
    case "$gte":
      return compares(actual, value, (order) => order >= 0);
    case "$lt":
      return compares(actual, value, (order) => order < 0);
    case "$lte":
      return compares(actual, value, (order) => order <= 0);
    case "$regex": {
      const pattern = patternOf(String(value));
      return elements(actual).some((element) => typeof element === "string" && pattern.isIn(element));
    }
  }
}

function elements(actual: AttributeValue | undefined): readonly FilterScalar[] {
  if (actual === undefined) return [];
  return isList(actual) ? actual : [actual];
}

function isList<T>(value: T): value is T & readonly FilterScalar[] {
  return Array.isArray(value);
}

function equals(actual: AttributeValue | undefined, value: FilterValue): boolean {
  if (!isList(value)) return elements(actual).some((element) => order(element, value) === 0);
  return (
    actual !== undefined &&
    isList(actual) &&
    actual.length === value.length &&
    value.every((item, index) => item === actual[index])
  );
}

function isAmong(actual: AttributeValue | undefined, values: FilterValue): boolean {
  return isList(values) && values.some((value) => equals(actual, value));
}

function compares(actual: AttributeValue | undefined, value: FilterValue, holds: (order: number) => boolean): boolean {
  if (isList(value)) {
    const order = actual !== undefined && isList(actual) ? compareLists(actual, value) : undefined;
    return order !== undefined && holds(order);
  }
  return elements(actual).some((element) => {
    const found = order(element, value);
    return found !== undefined && holds(found);
  });
}

/** Negative, 0 or positive; `undefined` for values of different types, which have no order. */
function order(a: FilterScalar, b: FilterScalar): number | undefined {
  if (typeof a === "string" && typeof b === "string") {
    const [instantA, instantB] = [timeMs(a), timeMs(b)];
    if (instantA !== undefined && instantB !== undefined) return instantA - instantB;
    return compareTexts(a, b);
  }
  return typeof a === typeof b ? Number(a) - Number(b) : undefined;
}

function compareLists(a: readonly FilterScalar[], b: readonly FilterScalar[]): number | undefined {
  for (const [index, item] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const found = order(item, other);
    if (found !== 0) return found;
  }
  return a.length - b.length;
}

/** By bytes of UTF-8, which is the order of code points. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
