import { combinationsFault } from "@upkeep/shared/protocol";
import { sha256 } from "../digest.ts";
import { DomainError } from "../errors.ts";
import type { ArtifactRecord } from "../storage/index.ts";

/** One way to meet all that an artifact needs: a value for each key. */
export type Combination = Readonly<Record<string, string>>;

/**
 * Every way to meet what an artifact needs, device types included, each with its digest.
 * @throws DomainError (invalid) if there are absurdly many, or none.
 */
export function combinationsOf({ depends, deviceTypes }: ArtifactRecord): Map<string, Combination> {
  const fault = combinationsFault({ ...depends, device_type: deviceTypes });
  if (fault !== undefined) throw new DomainError("invalid-artifact-metadata", { fault: `depends: ${fault}` });
  const needs = Object.entries<string | readonly string[]>({ ...depends, device_type: deviceTypes })
    .map(([key, value]): [string, readonly string[]] => [
      key,
      typeof value === "string" ? [value] : [...new Set(value)],
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  let combinations: Combination[] = [{}];
  for (const [key, values] of needs) {
    combinations = combinations.flatMap((combination) => values.map((value) => ({ ...combination, [key]: value })));
  }
  return new Map(combinations.map((combination) => [sha256(JSON.stringify(combination)), combination]));
}
