import { describe, expect, test } from "vitest";
import { findings, scenarioNames } from "./library.ts";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs.ts";

test("each planted bug has a name of its own, and names scenarios that are there", () => {
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  const named = PLANTED_BUGS.flatMap(({ foundBy }) => foundBy);
  const known = new Set(scenarioNames().flatMap((path) => [path, path.slice(path.lastIndexOf("/") + 1)]));
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20);
});

/** The whole matrix, each bug against each scenario, is `npm run scenarios:bugs`. */
describe("a planted bug is found", () => {
  test.each(PLANTED_BUGS)("$name", async (bug) => {
    for (const scenario of bug.foundBy)
      expect({ scenario, found: (await findings(scenario, bug)).length > 0 }).toEqual({ scenario, found: true });
  });
});

/** So general that most scenarios show them: tried before those that only some can. */
const GENERAL = ["a success is acknowledged and forgotten", "nothing is rolled back", "nobody looks"];

/** The bugs in the order in which this scenario is likely to find one. */
function likelyFor(path: string): readonly PlantedBug[] {
  const rank = ({ name, foundBy }: PlantedBug): number => {
    if (foundBy.some((one) => path === one || path.endsWith(`/${one}`))) return -1;
    const general = GENERAL.findIndex((start) => name.startsWith(start));
    return general < 0 ? GENERAL.length : general;
  };
  return [...PLANTED_BUGS].sort((a, b) => rank(a) - rank(b));
}

/** One that finds none would also pass if what it is about were broken. */
describe("a scenario finds a planted bug", () => {
  test.each(scenarioNames())("%s", async (scenario) => {
    let found = false;
    for (const bug of likelyFor(scenario)) {
      found = (await findings(scenario, bug)).length > 0;
      if (found) break;
    }
    expect(found).toBe(true);
  });
});
