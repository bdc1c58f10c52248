import { type Expression, type SqlBool, sql } from "kysely";

/** Which texts are meant. `contains` ignores case; nothing in `value` has a special meaning. */
export type TextFilter =
  | { readonly kind: "exact"; readonly values: readonly string[] }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "contains"; readonly value: string };

/** No text that is searched is longer, and an engine refuses endless patterns. */
const SEARCHED_MAX = 4096;

/** The condition that `column` is one of the texts meant. */
export function matchesText(column: Expression<string>, filter: TextFilter): Expression<SqlBool> {
  switch (filter.kind) {
    case "exact":
      return filter.values.length === 0 ? sql<SqlBool>`1 = 0` : sql<SqlBool>`${column} in (${sql.join(filter.values)})`;
    case "prefix":
      return sql<SqlBool>`substr(${column}, 1, length(${filter.value})) = ${filter.value}`;
    case "contains":
      if (filter.value.length > SEARCHED_MAX) return sql<SqlBool>`1 = 0`;
      return sql<SqlBool>`lower(${column}) like lower(${`%${escapeLike(filter.value)}%`}) escape '!'`;
  }
}

export function escapeLike(text: string): string {
  return text.replace(/[!%_]/g, "!$&");
}
