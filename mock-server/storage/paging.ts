/** Which part of a list: pages count from 1. */
export interface Paging {
  readonly page: number;
  readonly perPage: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** How many there are on all pages together. */
  readonly total: number;
}

export type SortOrder = "asc" | "desc";

/** How many rows to skip for a page. */
export function offsetOf({ page, perPage }: Paging): number {
  return (page - 1) * perPage;
}

/** Values in portions: a statement takes a limited number of parameters. */
export function* portions<T>(values: readonly T[], size = 500): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += size) yield values.slice(start, start + size);
}
