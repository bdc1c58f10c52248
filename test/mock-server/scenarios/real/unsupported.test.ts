import { expect, test } from "vitest";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { unsupportedIn } from "../../../../mock-server/scenarios/real/unsupported.ts";

function scenario(more: string, expected = "  - { device: d, status: success }"): ReturnType<typeof parseScenario> {
  const text = `scenario: A test\nwhy: Because.\nfleet: [{ name: d }]\n${more}\nexpect:\n${expected}\n`;
  return parseScenario(text, "a.yaml");
}

test("what the network and the server do can be had for real, and with a device on the desk", () => {
  const plain = scenario(
    "faults: [{ answer: { status: 503 }, to: poll }, { cut_download: { at: 1 MB } }, { slow: 1 KB/s }]",
  );
  expect([unsupportedIn(plain, "real"), unsupportedIn(plain, "attached")]).toEqual([[], []]);
});

test.each([
  [
    "releases: [{ name: v2 }]\ndeployments: [{ name: first, release: v2, to: all, silent_after: 1h }]\nfaults: [{ slow: 1 KB/s }]",
    "slow with silent_after: the connection takes megabytes from the server at once: to it the device is silent",
  ],
  ["faults: [{ torn_write: yes }]", "torn_write: no process of this machine can be made to do it"],
  ["faults: [{ boot_failure: { times: 1 } }]", "boot_failure: no process of this machine can be made to do it"],
  ["faults: [{ disk_full: yes }]", "disk_full: the devices have no disk of their own"],

  ["faults: [{ power_cut: { after_step: 3 } }]", "power_cut at a durable step: only a simulated disk counts them"],
  [
    "faults: [{ power_cut: { during: Download, leaves: torn } }]",
    "power_cut with leaves: only a simulated disk loses what was not synced",
  ],
  [
    "releases: [{ name: v2, artifacts: [{ trusts: [authority] }] }]",
    "trusts of an artifact: what the agents trust stays as it is",
  ],
  [
    "releases: [{ name: v2, artifacts: [{ config: { PollJitterPercent: 5 } }] }]",
    "config of an artifact: the runner writes the configuration of the agents",
  ],
])("of %s it is said why processes of this machine cannot do it", (more, reason) => {
  expect(unsupportedIn(scenario(more), "real")).toEqual([reason]);
});

test.each([
  "faults: [{ wrong_clock: { ahead: 1d } }, { module_hangs: ArtifactInstall }, { script_hangs: Sync_Enter }]",
  "faults: [{ cut_download: { at: 1 MB, by: silence } }, { agent_killed: { every: 1h } }, { slow: 1 KB/s, release: v2 }]",
  "timeline: [{ at: 1h, do: { clock: { device: d, ahead: 1d } } }, { at: 2h, do: { server_clock: { ahead: 1d } } }]",
  "timeline: [{ at: 1h, do: { renew_certificate: { issuer: new } } }]",
])("the agent's timers and clocks go by the scenario's time: %s", (more) => {
  const text = `releases: [{ name: v2 }]\n${more}`;
  const timed = "  - { device: d, reports: failure, within: 2h }\n  - { rate: { of: polls, at_most: 3, in: 1h } }";
  expect(unsupportedIn(scenario(text, timed), "real")).toEqual([]);
});

test("a boot loader is not there for real", () => {
  const text =
    "scenario: A\nwhy: B\nfleet: [{ name: d, module: { kind: slots } }]\nexpect: [{ device: d, status: success }]\n";
  expect(unsupportedIn(parseScenario(text, "a.yaml"), "real")).toEqual([
    "a module of the kind slots: no process of this machine has a boot loader",
  ]);
});

test.each([
  [
    "faults: [{ module_fails: ArtifactInstall }]",
    "module_fails: it happens inside the device, which is not in our hands",
  ],
  [
    "faults: [{ slow: 1 KB/s, while: Download }]",
    "slow while a state: it happens inside the device, which is not in our hands",
  ],
  [
    "timeline: [{ at: 1h, do: { renew_certificate: { issuer: new } } }]",
    "renew_certificate: the device reaches the server without TLS",
  ],
  ["faults: [{ tls_failure: expired }]", "tls_failure: the device trusts whom it trusts"],
  [
    "timeline: [{ at: 1h, do: { kill_agent: d } }]",
    "kill_agent: it happens inside the device, which is not in our hands",
  ],
  [
    "timeline: [{ when: { device: d, enters: Download }, do: { reject: d } }]",
    "a moment on the device: the device does not tell",
  ],
])("of %s it is said why it cannot be done from the server's side", (more, reason) => {
  expect(unsupportedIn(scenario(more), "attached")).toEqual([reason]);
});

test("what only the device knows cannot be expected of one on the desk, nor can there be two", () => {
  const runs = scenario("", "  - { device: d, runs: v1 }");
  expect(unsupportedIn(runs, "attached")).toEqual(["expecting what runs on the device: the device does not tell"]);
  const two = "scenario: A\nwhy: B\nfleet: [{ name: d, count: 2 }]\nexpect: [{ device: d1, status: success }]\n";
  expect(unsupportedIn(parseScenario(two, "a.yaml"), "attached")).toEqual(["a fleet of 2: one device is attached"]);
});
