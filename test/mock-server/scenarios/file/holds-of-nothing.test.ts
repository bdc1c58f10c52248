import { describe, expect, test } from "vitest";
import { parseScenario, ScenarioFileError } from "../../../../mock-server/scenarios/file/index.ts";

const HEAD = `scenario: s
why: w
fleet: [{ name: d, count: 3, group: g }, { name: lone }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: all }]
expect:
`;

/** What is said about a file with these expectations. */
function faultsOf(...expectations: readonly string[]): string[] {
  try {
    parseScenario(HEAD + expectations.map((one) => `  - ${one}\n`).join(""), "s.yaml");
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioFileError)) throw error;
    return error.message.split("\n");
  }
}

describe("An expectation that would hold of nothing is refused where it stands", () => {
  test.each([
    ["{ device: any, counts: { polls: { at_most: 2 } } }", /^s\.yaml:7:15: .*each: .*counts/],
    ["{ device: any, status: success }", /^s\.yaml:7:15: .*status/],
    ["{ device: any, runs: v2 }", /^s\.yaml:7:15: .*runs/],
    ["{ device: d, runs: v2 }", /^s\.yaml:7:15: .*"d" .*did you mean each: d\?/],
    ["{ device: g, runs: v2 }", /^s\.yaml:7:15: .*did you mean each: g\?/],
    ["{ device: all, runs: v2 }", /^s\.yaml:7:15: .*did you mean each: all\?/],
    ["{ device: none, reports: failure }", /^s\.yaml:7:15: .*never: \{ device: any/],
    ["{ device: d4, runs: v2 }", /^s\.yaml:7:15: .*did you mean d1\?/],
    ["{ each: e, runs: v2 }", /^s\.yaml:7:13: .*"e".*there are all, d, lone, g/],
    ["{ each: d, device: lone, runs: v2 }", /one of device, each/],
    ["{ each: d, deployment: first, statistics: { success: 3 } }", /device or each.*|each/],
    ["{ device: d1, runs: v3 }", /^s\.yaml:7:25: .*"v3".*did you mean v/],
    ["never: { device: any, runs: v3 }", /^s\.yaml:7:33: .*"v3"/],
    ["never: { device: d1, deployment: first, state: finished }", /state/],
    ["{ device: d1, deployment: first, state: finished }", /device/],
    ["never: { device: d9, reports: failure }", /^s\.yaml:7:22: .*"d9"/],
    ["never: { device: any, reports: failure, after: 2h, before: 1h }", /before/],
    ["{ device: d1, counts: {} }", /counts/],
    ["{ device: d1, counts: { polls: {} } }", /at_least, at_most/],
    ["{ device: d1, counts: { polls: { at_least: 0 } } }", /at_least/],
    ["{ device: d1, received: {} }", /at_least, at_most/],
    ["{ device: d1, provides: {} }", /provides/],
  ])("%s", (expectation, said) => {
    const faults = faultsOf(expectation);
    expect(faults.join("\n")).toMatch(said);
  });
});

test("What is expected of each device of a row, a group or the fleet is expected of every one of them", () => {
  const { expect: expectations } = parseScenario(
    `${HEAD}  - { each: d, runs: v2 }
  - { each: g, reports: success }
  - { each: lone, runs: v2 }
  - never: { each: d, reports: failure }
  - { each: all, counts: { boots: 1 } }
`,
    "s.yaml",
  );
  const devices = expectations.map(({ device, never }) => device ?? `not ${never?.device}`);
  const d = ["d1", "d2", "d3"];
  expect(devices).toEqual([...d, ...d, "lone", ...d.map((one) => `not ${one}`), ...d, "lone"]);
});

test("Any device may be the one to which something happens", () => {
  expect(faultsOf("{ device: any, reports: success, within: 1h }", "never: { device: any, reports: failure }")).toEqual(
    [],
  );
});
