import { describe, expect, test } from "vitest";
import { findings, scenarioNames } from "./library.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";

test("each planted bug has a name of its own, and names scenarios that are there", () => {
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  const named = PLANTED_BUGS.flatMap(({ foundBy }) => foundBy);
  const known = new Set(scenarioNames().flatMap((path) => [path, path.slice(path.lastIndexOf("/") + 1)]));
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20);
});

/** The whole matrix, each bug against each scenario, is `npm run scenarios:bugs`. */
describe("a planted bug is found", () => {
  test.each(PLANTED_BUGS)("$name", { timeout: 300_000 }, async (bug) => {
    for (const scenario of bug.foundBy)
      expect({ scenario, found: (await findings(scenario, bug)).length > 0 }).toEqual({ scenario, found: true });
  });
});
