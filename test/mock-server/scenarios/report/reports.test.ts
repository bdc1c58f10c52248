import { beforeAll, expect, test } from "vitest";
import {
  jsonText,
  junitText,
  parseScenario,
  personText,
  type RunResult,
} from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

const TEXT = `
scenario: Fails <on> purpose & "so"
why: To see how it is told.
fleet: [{ name: d, count: 2 }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: [d1] }]
ends: { after: 1h }
expect:
  - { device: d1, statuses: [downloading, installing, success] }
  - { device: d1, runs: v1 }
`;

let result: RunResult;
beforeAll(async () => {
  const { trace: _, ...run } = await runSimulated(parseScenario(TEXT, "s.yaml"), {
    readArtifact: () => Promise.reject(new Error("no artifact is read")),
  });
  result = { ...run, file: "s.yaml", tookMs: 12 };
});

test("a person is told what was expected, what came, where, and the story of the device that failed", () => {
  const text = personText(result, { colours: false, timeline: false });
  expect(text).toContain('✘ Fails <on> purpose & "so" (s.yaml, seed 1, 1h in 12 ms, trace ');
  expect(text).toContain("expected d1 runs v1 at the end\n    got      v2\n    at       d1, 1h (2026-01-01 01:00:00)");
  expect(text).toContain("day 1 00:00:00.160 first: downloading");
  expect(text).not.toContain("    d2\n");
  expect(text).not.toContain("\x1b");
  expect(personText(result, { colours: true, timeline: false })).toContain("\x1b[31m✘\x1b[0m");
});

test("JUnit has a case for each scenario and a failure for what was not met", () => {
  const xml = junitText([result, { ...result, passed: true, verdicts: [] }]);
  expect(xml).toContain('<testsuite name="scenarios" tests="2" failures="1" errors="0"');
  expect(xml).toContain(
    '<testcase name="Fails &lt;on&gt; purpose &amp; &quot;so&quot;" classname="s.yaml" time="0.012">',
  );
  expect(xml).toContain('<failure message="expected d1 runs v1 at the end, got v2">');
  expect(xml.match(/<failure /g)).toHaveLength(1);
});

test("JUnit has a failure for a scenario that was not run, with the reason", () => {
  const xml = junitText([{ ...result, verdicts: [], notes: ["not possible here: torn_write: <no> disk"] }]);
  expect(xml).toContain('failures="1"');
  expect(xml).toContain('<failure message="not possible here: torn_write: &lt;no&gt; disk"/>');
  expect(junitText([{ ...result, passed: true, verdicts: [], notes: ["a remark"] }])).not.toContain("<failure");
});

test("JSON has every expectation, what runs where, and the story", () => {
  const { passed, scenarios } = JSON.parse(jsonText([result]));
  expect(passed).toBe(false);
  expect(scenarios[0]).toMatchObject({
    file: "s.yaml",
    mode: "simulated",
    passed: false,
    trace: result.traceHash,
    runs: { d1: "v2", d2: "v1" },
    expectations: [{ met: true }, { met: false, expected: "d1 runs v1 at the end", got: "v2", device: "d1" }],
  });
  expect(scenarios[0].story).toContainEqual({ at_ms: 160, device: "d1", text: "first: downloading" });
});
