import { expect, test } from "vitest";
import type { Expectation } from "../../../../mock-server/scenarios/file/index.ts";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import type { RunEvent } from "../../../../mock-server/scenarios/run/events.ts";
import { judge, type RunRecord } from "../../../../mock-server/scenarios/run/verdict.ts";

const START = Date.UTC(2026, 0, 1, 11);

function expectation(line: string): Expectation {
  const text = `
scenario: s
why: w
starts: 2026-01-01T11:00:00Z
fleet: [{ name: d }, { name: e }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: all }]
expect: [${line}]
`;
  const [first] = parseScenario(text, "s.yaml").expect;
  if (first === undefined) throw new Error("nothing is expected");
  return first;
}

const status = (atMs: number, one: "pending" | "downloading" | "installing" | "success", device = "d"): RunEvent => ({
  kind: "status",
  atMs,
  device,
  deployment: "first",
  status: one,
});

const RECORD: RunRecord = {
  startMs: START,
  nowMs: 7_200_000,
  events: [
    { kind: "boot", atMs: 0, device: "d" },
    status(10, "pending"),
    status(60_000, "downloading"),
    { kind: "bytes", atMs: 61_000, device: "d", bytes: 1000 },
    { kind: "received", atMs: 61_000, device: "d", receivedBytes: 1000 },
    { kind: "bytes", atMs: 62_000, device: "d", bytes: 500 },
    { kind: "received", atMs: 62_000, device: "d", receivedBytes: 1500 },
    { kind: "module", atMs: 70_000, device: "d", call: "ArtifactInstall" },
    status(70_000, "installing"),
    status(3_700_000, "success"),
    { kind: "runs", atMs: 3_700_000, device: "d", software: "v2" },
    { kind: "deployment", atMs: 3_700_000, deployment: "first", status: "finished" },
  ],
  devices: new Map([
    ["d", { software: "v2", provides: { artifact_name: "v2" } }],
    ["e", { software: "v1", provides: { artifact_name: "v1" } }],
  ]),
  deployments: new Map([["first", { status: "finished", statistics: { success: 1, failure: 0 } }]]),
};

test.each([
  ["{ device: d, statuses: [downloading, installing, success] }", true],
  ["{ device: d, statuses: [pending, downloading, installing, success] }", true],
  ["{ device: d, statuses: [downloading, success] }", false],
  ["{ device: d, status: success, runs: v2 }", true],
  ["{ device: e, runs: v2 }", false],
  ["{ device: d, provides: { artifact_name: v2, other: null } }", true],
  ["{ device: d, provides: { other: x } }", false],
  ["{ device: d, counts: { boots: 1, ArtifactInstall: 1, polls: 0 } }", true],
  ["{ device: d, counts: { boots: { at_least: 2 } } }", false],
  ["{ device: d, received: { at_least: 1500 B, at_most: 1500 B } }", true],
  ["{ device: d, received: { at_most: 1 KB } }", false],
  ["{ device: d, downloads: 1200 B }", true],
  ["{ device: d, downloads: 2 KB }", false],
  ["{ device: d, reports: success, within: 2h }", true],
  ["{ device: d, reports: success, within: 1h }", false],
  ['{ device: d, reports: success, after: "12:00", before: "12:30" }', true],
  ['{ device: d, reports: downloading, after: "12:00" }', false],
  ["{ device: d, runs: v2, before: 2h }", true],
  ["{ device: d, log: anything }", false],
  ["{ deployment: first, statistics: { success: 1 }, state: finished, devices: 1 }", true],
  ["{ deployment: first, statistics: { success: 2 } }", false],
  ["{ deployment: first, state: finished, within: 1h }", false],
  ["never: { device: e, reports: downloading }", true],
  ["never: { device: any, reports: success }", false],
  ['never: { device: d, reports: success, before: "12:00" }', true],
  ["never: { device: d, enters: ArtifactInstall }", true],
])("%s is %s", (line, met) => {
  const verdicts = judge(expectation(line.startsWith("{") ? line : `{ ${line} }`), RECORD);
  expect(verdicts.length).toBeGreaterThan(0);
  expect(verdicts.every((one) => one.met)).toBe(met);
});

test("where it went another way is told, with what was expected and what came", () => {
  expect(judge(expectation("{ device: d, statuses: [downloading, success] }"), RECORD)).toEqual([
    {
      expected: "d: downloading → success",
      met: false,
      got: "downloading → installing → success",
      device: "d",
      atMs: 70_000,
    },
  ]);
});
