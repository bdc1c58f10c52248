import { expect, test } from "vitest";
import { parseScenario, ScenarioFileError } from "../../../../mock-server/scenarios/file/index.ts";

const GOOD = `
scenario: It works
why: Because.
fleet:
  - name: d
    count: 2
releases:
  - name: v2
deployments:
  - name: first
    release: v2
    to: all
expect:
  - deployment: first
    statistics: { success: 2 }
`;

function faultsOf(text: string): string[] {
  try {
    parseScenario(text, "s.yaml");
  } catch (error) {
    if (error instanceof ScenarioFileError) return error.message.split("\n");
    throw error;
  }
  return [];
}

/** GOOD with a line of it, the first that begins so, replaced. */
function withLine(begin: string, line: string): string {
  let done = false;
  return GOOD.split("\n")
    .map((one) => {
      if (done || !one.startsWith(begin)) return one;
      done = true;
      return line;
    })
    .join("\n");
}

test("a file that says little has defaults for the rest", () => {
  expect(parseScenario(GOOD, "s.yaml")).toMatchObject({
    scenario: "It works",
    seed: "1",
    starts: Date.UTC(2026, 0, 1),
    ends: { boundMs: 3 * 86_400_000, early: true },
    fleet: [
      { name: "d", count: 2, type: "board", poll: 1_800_000, module: { kind: "files", reboot: "no", rollback: true } },
    ],
    releases: [{ name: "v2", artifacts: [{ device_types: ["board"], payload: 65_536, compression: "none" }] }],
  });
});

test("durations, sizes, rates, instants and yes are read", () => {
  const { faults, timeline, starts } = parseScenario(
    `${GOOD}
starts: 2026-03-01T11:00:00Z
faults:
  - cut_download: { every: 3 MB }
  - slow: 20 KB/s
    from: 1h30m
    until: "12:45"
  - dns_failure: yes
    while: Download
timeline:
  - at: day 2 08:00
    do: { power_cut: d1 }
`,
    "s.yaml",
  );
  expect(faults).toMatchObject([
    { what: { fault: "cut_download", value: { every: 3_000_000 } } },
    { what: { fault: "slow", value: 20_000 }, from: { kind: "after", ms: 5_400_000 } },
    { what: { fault: "dns_failure", value: true }, while: ["Download"] },
  ]);
  expect(timeline[0]?.do).toEqual({ action: "power_cut", value: { device: "d1", leaves: undefined, for: 10_000 } });
  expect(starts).toBe(Date.UTC(2026, 2, 1, 11));
});

test.each([
  ["no YAML", withLine("why:", "why: [Because."), /^s\.yaml:\d+:\d+: /],
  [
    "a key that is missing",
    withLine("why:", ""),
    /^s\.yaml:2:1: why: expected a sentence: why it matters, got nothing$/,
  ],
  [
    "a key that is misspelt",
    withLine("    count:", "    cuont: 2"),
    /^s\.yaml:6:5: fleet\[0\]: "cuont" is not known here \(did you mean count\?\)$/,
  ],
  [
    "a wrong kind of value",
    withLine("    count:", "    count: two"),
    /^s\.yaml:6:12: fleet\[0\]\.count: expected a whole number from 1, got "two"$/,
  ],
  [
    "a duration without unit",
    withLine("    count:", "    poll: 30"),
    /^s\.yaml:6:11: fleet\[0\]\.poll: expected a duration such as .*, got 30$/,
  ],
  [
    "a release that is not there",
    withLine("    release:", "    release: v3"),
    /^s\.yaml:11:14: deployments\[0\]\.release: expected the name of a release, got "v3" \(did you mean v2\?\); there are v2$/,
  ],
  [
    "a device that is not there",
    withLine("    to:", "    to: [d1, d7]"),
    /^s\.yaml:12:14: deployments\[0\]\.to\[1\]: expected the name of a device, got "d7" .*; there are d1, d2$/,
  ],
  [
    "a status that is none",
    withLine("    statistics:", "    statistics: { sucess: 2 }"),
    /^s\.yaml:15:19: expect\[0\]\.statistics: "sucess" is not known here \(did you mean success\?\)$/,
  ],
  [
    "an expectation about nobody",
    withLine("  - deployment:", "  - state: finished"),
    /^s\.yaml:14:5: expect\[0\]: expected whom it is about: device, each or deployment/,
  ],
])("%s is told with line, column, what was expected and what is there", (_, text, told) => {
  expect(faultsOf(text)[0]).toMatch(told);
});

test("all faults are told, in the order of the file", () => {
  const text = withLine("    count:", "    count: two").replace(
    "to: all",
    "to: [d1]\n    retries: -1\n    phases: [{ batch: 200 }]",
  );
  expect(faultsOf(text).map((line) => line.split(":").slice(1, 3).join(":"))).toEqual(["6:12", "13:14", "14:23"]);
});

test.each([
  ["two faults in one", "  - { link_down: yes, dns_failure: yes }", "only one of link_down, dns_failure at a time"],
  ["no fault at all", "  - { to: poll }", "exactly one of link_down,"],
  [
    "a power cut at no moment",
    "  - power_cut: { leaves: torn }",
    "exactly one of before, during, after, before_step, after_step, every",
  ],
  ["a request kind that is none", "  - { link_down: yes, to: polls }", "any, or one or a list of auth, poll"],
  ["an instant after the end", "  - { link_down: yes, from: 8d }", "an instant of the run, got one after its end"],
])("%s is no fault", (_, line, told) => {
  expect(faultsOf(`${GOOD}faults:\n${line}\n`).join("\n")).toContain(told);
});

test("what stands in a timeline needs a moment, and one only", () => {
  const told = faultsOf(
    `${GOOD}timeline:\n  - do: { abort: first }\n  - { at: 1h, when: { device: d1, polls: true }, do: { abort: frist } }\n`,
  );
  expect(told).toEqual([
    expect.stringMatching(/^s\.yaml:17:5: timeline\[0\]: expected exactly one of at, when/),
    expect.stringMatching(/^s\.yaml:18:5: timeline\[1\]: expected only one of at, when at a time/),
  ]);
});
