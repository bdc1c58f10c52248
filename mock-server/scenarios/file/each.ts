import type { Expectation } from "./expectations.ts";
import { deviceNames } from "./fleet.ts";
import type { Scenario } from "./scenario.ts";

/** Every device of the fleet. */
const ALL = "all";

/** The names that `each` may have. */
export function eachNames({ fleet }: Pick<Scenario, "fleet">): string[] {
  const groups = fleet.flatMap(({ group }) => (group === undefined ? [] : [group]));
  return [...new Set([ALL, ...fleet.map(({ name }) => name), ...groups])];
}

function devicesOf({ fleet }: Pick<Scenario, "fleet">, each: string): string[] {
  const rows = fleet.filter(({ name }) => name === each);
  if (rows.length > 0) return rows.flatMap(deviceNames);
  return fleet.filter(({ group }) => each === ALL || group === each).flatMap(deviceNames);
}

/** What is expected of each device of several, as an expectation of every one of them. */
export function expectationsOfEach(scenario: Scenario): Expectation[] {
  return scenario.expect.flatMap((expectation): Expectation[] => {
    const { each, never, ...rest } = expectation;
    if (never?.each !== undefined) {
      const { each: of, ...event } = never;
      return devicesOf(scenario, of).map((device) => ({ never: { ...event, device } }));
    }
    return each === undefined ? [expectation] : devicesOf(scenario, each).map((device) => ({ ...rest, device }));
  });
}
