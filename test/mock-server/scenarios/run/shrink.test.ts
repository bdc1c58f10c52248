import { expect, test } from "vitest";
import { parseScenario, shrink } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

const LARGE = `
scenario: Much happens, and one fault is to blame
why: To find out which.
fleet:
  - { name: a, count: 2 }
  - { name: b }
releases:
  - name: v2
deployments:
  - { name: first, release: v2, to: [b] }
timeline:
  - { at: 1h, do: { check_update: a1 } }
  - { at: 90m, do: { send_inventory: a2 } }
faults:
  - { slow: 100 KB/s }
  - module_fails: ArtifactInstall
  - { dns_failure: yes, from: 1h, until: 2h }
ends: { at_most: 2h }
expect:
  - { device: b, status: success }
  - { device: a1, runs: v1 }
`;

const options = { readArtifact: () => Promise.reject(new Error("no artifact is read")) };

test("of a scenario that fails only what makes it fail is left", async () => {
  const { text } = await shrink(LARGE, "large.yaml", "7", options);
  const smaller = parseScenario(text, "smaller.yaml");
  expect(smaller.faults.map(({ what }) => what.fault)).toEqual(["module_fails"]);
  expect(smaller.timeline).toEqual([]);
  expect(smaller.fleet.map(({ name }) => name)).toEqual(["b"]);
  expect(smaller.expect).toHaveLength(1);
  expect(smaller.seed).toBe("7");
  const { passed } = await runSimulated(smaller, options);
  expect(passed).toBe(false);
});
