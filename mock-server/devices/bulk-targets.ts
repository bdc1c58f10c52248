import { given } from "@upkeep/shared/given";
import { conflict } from "../errors.ts";
import type { Storage } from "../storage/index.ts";
import { Scan } from "./filters/scan.ts";
import type { FilterTerm } from "./filters/terms.ts";

/** A search whose results a user saw and decided on. */
export interface BulkSearch {
  /** All must be met. */
  readonly terms: readonly FilterTerm[];
  /** A substring of any attribute value or of the id, case-insensitive. */
  readonly text?: string;
  /** The number of devices that the user saw. Default: any number is right. */
  readonly expectedCount?: number;
}

/** The devices of a bulk change: a list, or those that a search finds now. */
export type BulkTargets = { readonly ids: readonly string[] } | BulkSearch;

/**
 * Ids of the devices, each once.
 * @throws DomainError (conflict) if the search finds another number of devices than expected.
 */
export async function targetIds(storage: Storage, targets: BulkTargets): Promise<readonly string[]> {
  if ("ids" in targets) return [...new Set(targets.ids)];
  const { terms, text, expectedCount } = targets;
  const ids: string[] = [];
  const found = await Scan.of(storage, { terms, ...given({ text: text || undefined }) });
  for await (const batch of found.batches()) ids.push(...batch.map(({ id }) => id));
  if (expectedCount !== undefined && ids.length !== expectedCount) {
    throw conflict(`expected_count: ${ids.length} devices match now, not ${expectedCount}`);
  }
  return ids;
}
