import { beforeAll, expect, test } from "vitest";
import {
  jsonText,
  junitText,
  parseScenario,
  personText,
  type RunResult,
  summaryText,
  tableText,
} from "../../../../mock-server/scenarios/index.ts";
import { lineText, storyOf } from "../../../../mock-server/scenarios/report/story.ts";
import type { RunEvent } from "../../../../mock-server/scenarios/run/events.ts";
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
  const xml = junitText([result, { ...result, outcome: "passed", verdicts: [] }]);
  expect(xml).toContain('<testsuite name="scenarios" tests="2" failures="1" errors="0" skipped="0"');
  expect(xml).toContain(
    '<testcase name="Fails &lt;on&gt; purpose &amp; &quot;so&quot;" classname="s.yaml" time="0.012">',
  );
  expect(xml).toContain('<failure message="expected d1 runs v1 at the end, got v2">');
  expect(xml.match(/<failure /g)).toHaveLength(1);
});

test("in JUnit, the first failure carries the timeline", () => {
  const xml = junitText([result]);
  expect(xml).toMatch(/<failure message="expected d1 runs v1[^>]*>[^<]*\n {4}d1\n {6}day 1 00:00:00\.000 boots v1\n/);
  expect(xml).toContain("first: success");
});

test("JUnit skips a scenario that is not possible, with the reason, and counts an interrupted one as an error", () => {
  const notes = ["not possible here: torn_write: <no> disk"];
  const skipped = junitText([{ ...result, outcome: "skipped", verdicts: [], events: [], notes }]);
  expect(skipped).toContain('failures="0" errors="0" skipped="1"');
  expect(skipped).toContain('<skipped message="not possible here: torn_write: &lt;no&gt; disk"/>');
  const interrupted = junitText([{ ...result, outcome: "interrupted", notes: ["SIGINT: the run was stopped"] }]);
  expect(interrupted).toContain('failures="0" errors="1" skipped="0"');
  expect(interrupted).toMatch(/<error message="SIGINT: the run was stopped">[^<]*first: success/);
  expect(junitText([{ ...result, outcome: "failed", verdicts: [], notes: ["no device asked"] }])).toContain(
    '<failure message="no device asked">',
  );
  expect(junitText([{ ...result, outcome: "passed", verdicts: [], notes: ["a remark"] }])).not.toContain("a remark");
});

test("a person sees what is not possible as skipped, and the last line counts it apart", () => {
  const skipped = { ...result, outcome: "skipped", verdicts: [], events: [], notes: ["not possible here: x"] } as const;
  expect(personText(skipped, { colours: false, timeline: false })).toBe(
    '– Fails <on> purpose & "so" (s.yaml, seed 1, trace ' +
      result.traceHash?.slice(0, 16) +
      ")\n    not possible here: x\n",
  );
  expect(summaryText([result, skipped], false)).toBe("0 of 1 scenarios went as expected, 1 not possible here\n");
});

test("of an attached device that fails, its own log is shown", () => {
  const log: RunEvent = {
    kind: "log",
    device: "d1",
    deployment: "first",
    messages: [{ timestamp: "", level: "error", message: "no space left" }],
    atMs: 5,
  };
  const shown = (events: RunEvent[]) =>
    personText({ ...result, mode: "attached", outcome: "failed", events }, { colours: false, timeline: false });
  expect(shown([log])).toContain("    deployment log of the device\n      d1 no space left\n");
  expect(shown([])).toContain("the device sent no deployment log");
});

test("a table has a line for each run, with its seconds, or why it is not possible", () => {
  const notes = ["not possible here: torn_write: no", "not possible here: clock: no"];
  expect(
    tableText([
      { ...result, outcome: "passed", file: "a/long-name.yaml", tookMs: 12_340 },
      { ...result, outcome: "skipped", file: "b.yaml", notes },
      { ...result, file: "c.yaml", tookMs: 100 },
    ]),
  ).toBe(`result        seconds  scenario          why not
pass             12.3  a/long-name.yaml
not possible           b.yaml            torn_write: no; clock: no
FAIL              0.1  c.yaml
`);
});

test("lines that repeat, alone or in turns, stand there once with their number and the last time", () => {
  const fails = (atMs: number): RunEvent[] => [
    { kind: "fault", device: "d1", fault: "tls_failure", atMs },
    { kind: "exchange", device: "d1", request: "auth", fault: "CERT_HAS_EXPIRED", atMs: atMs + 1 },
  ];
  const events = Array.from({ length: 1000 }, (_, index) => fails(index * 60_000)).flat();
  const others: RunEvent[] = [
    { kind: "action", device: "d1", what: "once", atMs: 60_000_000 },
    { kind: "action", device: "d1", what: "twice", atMs: 60_000_000 },
    { kind: "action", device: "d1", what: "twice", atMs: 60_000_001 },
  ];
  expect(storyOf([...events, ...others]).map((line) => lineText(line, 0))).toEqual([
    "fault: tls_failure (1000 times, the last at day 1 16:39:00.000)",
    "auth: CERT_HAS_EXPIRED (1000 times, the last at day 1 16:39:00.001)",
    "once",
    "twice (2 times, the last at day 1 16:40:00.001)",
  ]);
});

test("of a long timeline both ends are shown, of many devices the first, and with --timeline all", () => {
  const lines = Array.from(
    { length: 200 },
    (_, atMs): RunEvent => ({ kind: "action", device: "d1", what: `action ${atMs}`, atMs }),
  );
  const fleet = Array.from({ length: 20 }, (_, index): RunEvent => ({ kind: "boot", device: `x${index}`, atMs: 0 }));
  const long: RunResult = { ...result, events: [...lines, ...fleet], verdicts: [], software: new Map() };
  const text = personText(long, { colours: false, timeline: false });
  expect(text).toContain("action 29\n      … 140 more lines are left out here; --timeline shows all\n");
  expect(text).toContain("… 17 more devices are left out; --timeline shows all\n");
  expect(text.split("\n").length).toBeLessThan(80);
  const whole = personText(long, { colours: false, timeline: true });
  expect(whole).toContain("action 100\n");
  expect(whole).toContain("    x19\n");
});

test("a repeated run says that its runs were compared", () => {
  const text = personText({ ...result, outcome: "passed", repeats: 10 }, { colours: false, timeline: false });
  expect(text).toContain("1h in 12 ms, 10 runs compared: all the same, trace ");
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
