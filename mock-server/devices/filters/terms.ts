import { TIME_HINT, timeMs } from "@upkeep/shared/protocol";
import { invalid } from "../../errors.ts";
import { checkPattern } from "./pattern.ts";

/** The sources of attributes. */
export const ATTRIBUTE_SCOPES = ["identity", "inventory", "monitor", "system", "tags"] as const;
export type AttributeScope = (typeof ATTRIBUTE_SCOPES)[number];

export const FILTER_OPERATORS = [
  "$eq",
  "$ne",
  "$gt",
  "$gte",
  "$lt",
  "$lte",
  "$in",
  "$nin",
  "$exists",
  "$regex",
] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];

export type FilterScalar = string | number | boolean;
export type FilterValue = FilterScalar | readonly FilterScalar[];

/** One condition on one attribute. */
export interface FilterTerm {
  readonly scope: AttributeScope;
  readonly attribute: string;
  readonly type: FilterOperator;
  readonly value: FilterValue;
}

/** A condition before validation. */
export interface UncheckedTerm {
  readonly scope?: unknown;
  readonly attribute?: unknown;
  readonly type?: unknown;
  readonly value?: unknown;
}

export const TERMS_MAX = 100;
/** Patterns are the most expensive conditions. */
const PATTERNS_MAX = 10;
const ATTRIBUTE_LENGTH_MAX = 1024;
const TEXT_LENGTH_MAX = 4096;
const LIST_MAX = 1000;

/**
 * Validates conditions.
 * @param path Their name in error messages.
 * @throws DomainError (invalid) that names the field and its value.
 */
export function checkTerms(terms: readonly UncheckedTerm[], path: string): FilterTerm[] {
  if (terms.length > TERMS_MAX) throw invalid(`${path}: at most ${TERMS_MAX}, not ${terms.length}`);
  const patterns = terms.filter(({ type }) => type === "$regex").length;
  if (patterns > PATTERNS_MAX) throw invalid(`${path}: at most ${PATTERNS_MAX} with $regex, not ${patterns}`);
  return terms.map((term, index) => checkTerm(term, `${path}.${index}`));
}

function checkTerm({ scope, attribute, type, value }: UncheckedTerm, path: string): FilterTerm {
  if (typeof attribute !== "string" || attribute === "") throw invalid(`${path}.attribute: cannot be blank`);
  if (attribute.length > ATTRIBUTE_LENGTH_MAX) {
    throw invalid(`${path}.attribute: must have at most ${ATTRIBUTE_LENGTH_MAX} characters`);
  }
  const term = {
    scope: oneOf(ATTRIBUTE_SCOPES, scope, `${path}.scope`),
    attribute,
    ...checkValue(oneOf(FILTER_OPERATORS, type, `${path}.type`), value, `${path}.value`),
  };
  checkTimes(term, `${path}.value`);
  return term;
}

/** Attributes of the scope `system` that hold times. */
const TIMES = ["created_ts", "updated_ts", "check_in_time"];

/** @throws DomainError (invalid) if a time is compared with another text, which would compare letters. */
function checkTimes({ scope, attribute, type, value }: FilterTerm, path: string): void {
  if (scope !== "system" || !TIMES.includes(attribute) || type === "$exists" || type === "$regex") return;
  for (const one of [value].flat()) {
    if (typeof one !== "string" || timeMs(one) === undefined) throw invalid(`${path}: ${TIME_HINT}, not ${shown(one)}`);
  }
}

function checkValue(type: FilterOperator, value: unknown, path: string): Pick<FilterTerm, "type" | "value"> {
  if (value === undefined || value === null) throw invalid(`${path}: cannot be blank`);
  if (Array.isArray(value) && value.length > LIST_MAX) throw invalid(`${path}: at most ${LIST_MAX} values`);
  const list = Array.isArray(value) && value.every(isScalar) ? value : undefined;
  switch (type) {
    case "$in":
    case "$nin":
      if (list === undefined) throw invalid(`${path}: ${type} takes a list of texts and numbers`);
      return { type, value: list };
    case "$exists":
      if (typeof value !== "boolean") throw invalid(`${path}: $exists takes true or false, not ${shown(value)}`);
      return { type, value };
    case "$regex":
      if (typeof value !== "string") throw invalid(`${path}: $regex takes a text, not ${shown(value)}`);
      checkPattern(value, path);
      return { type, value };
    default: {
      const usable = isScalar(value) ? value : list;
      if (usable === undefined) throw invalid(`${path}: must be a text, a number, or a list, not ${shown(value)}`);
      return { type, value: usable };
    }
  }
}

function isScalar(value: unknown): value is FilterScalar {
  if (typeof value === "string") return value.length <= TEXT_LENGTH_MAX;
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

/** @throws DomainError (invalid) if it is none of them. */
export function oneOf<T extends string>(known: readonly T[], value: unknown, path: string): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw invalid(`${path}: must be one of ${known.join(", ")}, not ${shown(value)}`);
  return found;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
