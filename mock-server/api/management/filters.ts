import * as z from "zod";
import type { SortOrder, TextFilter } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { one } from "../validation.ts";

const VALUES_MAX = 100;

/** A query parameter of which any part may be given, in any case. */
export const contains = one(
  z
    .string()
    .transform((value): TextFilter => ({ kind: "contains", value }))
    .optional(),
);

/** A query parameter that must be matched exactly. */
export const exactly = one(
  z
    .string()
    .transform((value): TextFilter => ({ kind: "exact", values: [value] }))
    .optional(),
);

/**
 * Exact texts, or the beginning of one: `prefix*`, where `\*` is a star.
 * @throws DomainError if it is both, or several beginnings.
 */
export function exactOrPrefix(values: readonly string[]): TextFilter | undefined {
  if (values.length === 0) return undefined;
  if (values.length > VALUES_MAX) throw invalid(`invalid filter: at most ${VALUES_MAX} names, not ${values.length}`);
  const unescaped = (text: string): string => text.replaceAll("\\*", "*");
  const prefixes = values.filter((value) => /(?<!\\)\*$/.test(value));
  const [prefix] = prefixes;
  if (prefix === undefined) return { kind: "exact", values: values.map(unescaped) };
  if (values.length > 1) throw invalid("invalid filter: either names, or the beginning of one name");
  return { kind: "prefix", value: unescaped(prefix.slice(0, -1)) };
}

export interface Sort<Key extends string> {
  readonly by: Key;
  readonly order: SortOrder;
}

/** `key`, `key:asc` or `key:desc`. */
export function sortBy<Key extends string>(keys: readonly Key[], otherwise: Sort<Key>) {
  const expected = `one of ${keys.join(", ")}, with :asc or :desc behind it`;
  return one(
    z
      .string()
      .transform((text, context): Sort<Key> => {
        const [key, order = "asc", ...rest] = text.split(":");
        const by = keys.find((known) => known === key);
        if (by !== undefined && (order === "asc" || order === "desc") && rest.length === 0) return { by, order };
        context.addIssue({ code: "custom", message: `must be ${expected}` });
        return z.NEVER;
      })
      .default(otherwise),
  );
}
