import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type BulkSearch, type BulkTargets, checkTerms } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { Filters } from "./inventory-query.ts";

const IDS_MAX = 10_000;

/** A search as it stands in a body, with the number of devices that the user saw. */
export const SEARCH = {
  filters: optional(Filters),
  text: optional(z.string()),
  expected_count: optional(z.int().min(0)),
};

/** The devices of a bulk change. */
export const TARGETS = { ids: optional(z.array(z.string()).max(IDS_MAX)), ...SEARCH };

/** @throws DomainError (invalid) for malformed conditions. */
export function bulkSearchOf({
  filters = [],
  text,
  expected_count: expectedCount,
}: z.infer<z.ZodObject<typeof SEARCH>>): BulkSearch {
  return {
    terms: checkTerms(filters, "filters"),
    ...(text ? { text } : {}),
    ...(expectedCount === undefined ? {} : { expectedCount }),
  };
}

/** @throws DomainError (invalid) for neither ids nor a search, or both; for a search without `expected_count`. */
export function bulkTargetsOf({ ids, ...search }: z.infer<z.ZodObject<typeof TARGETS>>): BulkTargets {
  if ((ids === undefined) === (search.filters === undefined)) {
    throw invalid("give either ids, or filters with expected_count");
  }
  if (ids === undefined) {
    if (search.expected_count === undefined) throw invalid("expected_count: the number of devices that were found");
    return bulkSearchOf(search);
  }
  const misplaced = (["text", "expected_count"] as const).find((name) => search[name] !== undefined);
  if (misplaced !== undefined) throw invalid(`${misplaced}: only filters have it`);
  return { ids };
}
