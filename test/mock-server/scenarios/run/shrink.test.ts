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

const DEVICES = `
scenario: The module of one device fails
why: What is left must show why d2 does not run v2, not only that it does not.
fleet: [{ name: d, count: 3 }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: all }]
faults:
  - { module_fails: ArtifactInstall, devices: [d2] }
  - { slow: 100 KB/s, to: download }
ends: { at_most: 2h }
expect:
  - { device: d2, runs: v2 }
`;

test("what a failure comes from is kept: without the deployment the device would run v1 as well", async () => {
  const { text, keeps } = await shrink(DEVICES, "devices.yaml", "1", options);
  const smaller = parseScenario(text, "smaller.yaml");
  expect(keeps).toMatchObject({ expected: "d2 runs v2 at the end", got: "v1" });
  expect(smaller.deployments.map(({ name }) => name)).toEqual(["first"]);
  expect(smaller.faults.map(({ what }) => what.fault)).toEqual(["module_fails"]);
  expect(smaller.fleet.map(({ count }) => count)).toEqual([2]);
});

test("it is the first unmet expectation that still fails, not another one", async () => {
  const two = LARGE.replace("{ device: a1, runs: v1 }", "{ device: a1, runs: v2 }");
  const { text, keeps } = await shrink(two, "two.yaml", "7", options);
  expect(keeps.expected).toBe("b ends with success");
  expect(parseScenario(text, "smaller.yaml").expect).toEqual([expect.objectContaining({ device: "b" })]);
});

test("of a scenario that fails only what makes it fail is left", async () => {
  const { text } = await shrink(LARGE, "large.yaml", "7", options);
  const smaller = parseScenario(text, "smaller.yaml");
  expect(smaller.faults.map(({ what }) => what.fault)).toEqual(["module_fails"]);
  expect(smaller.timeline).toEqual([]);
  expect(smaller.fleet.map(({ name }) => name)).toEqual(["b"]);
  expect(smaller.expect).toHaveLength(1);
  expect(smaller.seed).toBe("7");
  const { outcome } = await runSimulated(smaller, options);
  expect(outcome).toBe("failed");
});
