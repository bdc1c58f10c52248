import { describe, expect, test } from "vitest";
import { parseCases, parseScenario, ScenarioFileError } from "../../../../mock-server/scenarios/file/index.ts";

/** A usable file with these lines besides. */
function textWith({ faults = "", timeline = "", expected = "{ each: d, runs: v2 }", head = "" }): string {
  return `scenario: s
why: w
${head}
fleet: [{ name: d, count: 2, group: g }]
releases: [{ name: v2 }]
deployments: [{ name: first, release: v2, to: all }]
faults: [${faults}]
timeline: [${timeline}]
expect: [${expected}]
`;
}

function messageOf(text: string): string {
  try {
    parseScenario(text, "s.yaml");
    return "";
  } catch (error) {
    if (!(error instanceof ScenarioFileError)) throw error;
    return error.message;
  }
}

describe("What is wrong with a construct is told with the field, the value and what would be right", () => {
  test.each([
    [{ expected: "{ deployment: first, state: stopped }" }, /expect\[0\]\.state: .*paused, got "stopped"/],
    [{ expected: "{ device: d1, boots: true, nth: 0 }" }, /expect\[0\]\.nth: expected a whole number from 1, got 0/],
    [{ expected: "{ device: d1, status: success, nth: 2 }" }, /expected one event .*for nth to be about/],
    [{ expected: "{ rate: { of: pols, at_most: 1, in: 1m } }" }, /expect\[0\]\.rate\.of: .*polls.*, got "pols"/],
    [{ expected: "{ rate: { of: bytes, at_most: 5, in: 1m } }" }, /expect\[0\]\.rate\.at_most: expected a size.*got 5/],
    [{ expected: "{ rate: { of: polls, at_most: 5 } }" }, /expect\[0\]\.rate\.in: expected a duration.*got nothing/],
    [
      { expected: "{ rate: { of: polls, at_most: 5, in: 1m }, deployment: first }" },
      /rate in an expectation of its own, not with deployment/,
    ],
    [{ expected: "{ device: any, rate: { of: polls, at_most: 5, in: 1m } }" }, /expect\[0\]\.device: .*for rate/],
    [{ timeline: "{ each: e, at: 1h, do: { switch_off: each } }" }, /timeline\[0\]\.each: .*"e".*there are all, d, g/],
    [{ timeline: "{ each: d, at: 1h, do: { switch_off: d1 } }" }, /timeline\[0\]\.each: expected a device called each/],
    [{ timeline: "{ at: 1h, do: { switch_off: each } }" }, /timeline\[0\]\.do\.switch_off: .*got each/],
    [{ faults: "{ link_down: yes, devices: [h] }" }, /faults\[0\]\.devices\[0\]: .*"h".*d1, d2, all, d, g/],
    [{ faults: "{ proxy_fails: gone }" }, /faults\[0\]\.proxy_fails: expected devices whose row .* has proxy: yes/],
    [{ faults: "{ link_down: yes, release: v3 }" }, /faults\[0\]\.release: .*"v3".*v2/],
    [{ faults: "{ link_down: yes, runs: v3 }" }, /faults\[0\]\.runs: .*"v3".*v/],
    [{ faults: "{ link_down: yes, nth: 2, count: 3 }" }, /faults\[0\]\.nth: expected nth without count/],
    [{ faults: "{ link_down: yes, name: x, on: no, when: { device: d1, polls: true } }" }, /only one of when, on: no/],
    [{ faults: "{ link_down: yes, when: { device: d3, polls: true } }" }, /faults\[0\]\.when\.device: .*"d3"/],
    [{ faults: "{ watchdog_reboot: { every: 5 } }" }, /faults\[0\]\.watchdog_reboot\.every: expected a duration/],
    [{ head: "server: { certificate: { issuer: 5 } }" }, /server\.certificate\.issuer: .*certificate authority.*got 5/],
    [
      { timeline: "{ at: 1h, do: { renew_certificate: { until: soon } } }" },
      /renew_certificate\.until: expected an instant.*got "soon"/,
    ],
    [{ head: "parameters: { x: 1 }" }, /parameters\.x: expected a parameter that is used, got "x"/],
    [
      { head: "parameters: { x: v2 }", expected: `{ each: d, runs: '\${y}\${x}' }` },
      /expect\[0\]\.runs: expected the name of a parameter, got "y".*there are x/,
    ],
    [
      { head: "parameters: { x: v2 }\ncases: [{ z: 1 }]", expected: `{ each: d, runs: '\${x}' }` },
      /cases\[0\]\.z: expected the name of a parameter, got "z"/,
    ],
    [{ head: "cases: [{ z: 1 }]" }, /cases: expected parameters too/],
    [
      { head: "parameters: { n: soon }", expected: `{ device: d1, boots: true, within: '\${n}' }` },
      /expect\[0\]\.within: expected a duration.*got "soon", written as \$\{n\}/,
    ],
  ])("%j", (parts, message) => {
    expect(messageOf(textWith(parts))).toMatch(message);
  });
});

test("A step of each device is a step of every one of them", () => {
  const step = "{ each: g, when: { device: each, boots: true }, do: { power_cut: { device: each, for: 1m } } }";
  const { timeline } = parseScenario(textWith({ timeline: step }), "s.yaml");
  expect(timeline.map(({ when, do: { value } }) => [when?.device, value])).toMatchObject([
    ["d1", { device: "d1", for: 60_000 }],
    ["d2", { device: "d2", for: 60_000 }],
  ]);
});

test("A file with a table has a run for each row, and a single one with values from outside", () => {
  const text = textWith({
    head: "parameters: { n: 2, r: v2 }\ncases: [{ n: 3 }, { n: 4 }]",
    expected: `{ each: d, counts: { boots: '\${n}' }, runs: '\${r}', log: 'a $\${ and \${n}' }`,
  });
  const runsOf = (given?: Record<string, number>) =>
    parseCases(text, "s.yaml", given).map(({ scenario }) => [scenario.scenario, scenario.expect[0]?.counts?.boots]);
  const boots = (count: number) => ({ at_least: count, at_most: count });
  expect(runsOf()).toEqual([
    ["s (n=3)", boots(3)],
    ["s (n=4)", boots(4)],
  ]);
  expect(runsOf({ n: 7, other: 1 })).toEqual([["s (n=7)", boots(7)]]);
  expect(parseScenario(text, "s.yaml").expect[0]).toMatchObject({ runs: "v2", log: `a \${ and 2` });
});
