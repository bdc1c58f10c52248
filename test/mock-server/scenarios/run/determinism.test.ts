import { expect, test } from "vitest";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

const LIVELY = `
scenario: Everything at once
why: To see whether two runs are the same.
fleet:
  - { name: a, count: 2, module: { reboot: automatic }, config: { PollJitterPercent: 50 } }
  - { name: b, module: { kind: slots, stores: no, reboot: automatic } }
releases:
  - name: v2
    artifacts: [{ payload: 200 KiB, compression: gzip }]
deployments:
  - { name: first, release: v2, to: all, retries: 1 }
timeline:
  - when: { device: a1, reports: rebooting }
    do: { power_cut: a1 }
faults:
  - { lossy: { lose: either }, probability: 0.1 }
  - { cut_download: { every: 70 KB }, probability: 0.5 }
  - { reordered: 5s, probability: 0.05 }
  - { power_cut: { during: ArtifactInstall, leaves: chance }, probability: 0.3 }
ends: { after: 3h }
expect:
  - { deployment: first, state: finished }
`;

const readArtifact = () => Promise.reject(new Error("no artifact is read"));

async function run(seed: string) {
  return await runSimulated({ ...parseScenario(LIVELY, "lively.yaml"), seed }, { readArtifact });
}

test("the same seed gives the same run, call by call; another seed another one", async () => {
  const first = await run("1");
  const again = await run("1");
  expect(again.trace).toEqual(first.trace);
  expect(again.traceHash).toBe(first.traceHash);
  expect((await run("2")).traceHash).not.toBe(first.traceHash);
});

test("a week of polling costs few calls and no real time to speak of", async () => {
  const week = `
scenario: A week of nothing
why: Most of the time nothing happens.
fleet: [{ name: d }]
ends: { after: 7d }
expect:
  - { device: d, counts: { polls: { at_least: 330 }, boots: 1 } }
`;
  const { outcome, simulatedMs, events } = await runSimulated(parseScenario(week, "week.yaml"), { readArtifact });
  expect(outcome).toBe("passed");
  expect(simulatedMs).toBe(7 * 86_400_000);
  // Nothing but questions and answers: each poll is one event, and so is each inventory.
  expect(events.length).toBeLessThan(400);
});
