import { describe, expect, test } from "vitest";
import { plotStatuses } from "../../../../mock-server/scenarios/fleet/simulated/plot.ts";
import { type SimulationPlan, simulateFleet } from "../../../../mock-server/scenarios/fleet/simulated/simulation.ts";

const HOUR_MS = 3_600_000;

const PLAN: SimulationPlan = {
  fleet: {
    devices: 40,
    seed: "s",
    types: new Map([
      ["board", 3],
      ["gateway", 1],
    ]),
    artifactName: "v1",
    pollMs: { least: HOUR_MS, most: 2 * HOUR_MS },
    inventoryMs: { least: 24 * HOUR_MS, most: 24 * HOUR_MS },
    jitter: 0.1,
    retryMs: 300_000,
    startMs: HOUR_MS,
    speed: { least: 100_000, most: 2_000_000 },
    installMs: { least: 5000, most: 90_000 },
    rebootMs: { least: 10_000, most: 60_000 },
    failures: 0.2,
  },
  days: 1,
  deployAtMs: 2 * HOUR_MS,
  phases: [
    { percent: 10, afterMs: 0 },
    { percent: undefined, afterMs: 8 * HOUR_MS },
  ],
  retries: 0,
  artifactBytes: 3_000_000,
};

describe("a fleet in virtual time", () => {
  test("is rolled out in its phases, and the devices' figures are the server's", async () => {
    const { samples, snapshot } = await simulateFleet(PLAN);
    const at = (hours: number) => samples.filter(({ atMs }) => atMs <= hours * HOUR_MS).at(-1)?.statuses;
    expect(at(1.9)).toMatchObject({ pending: 0, success: 0 });
    const first = at(9.9);
    // A tenth of 40 before the second phase opens, and all of them long after.
    expect((first?.success ?? 0) + (first?.failure ?? 0)).toBe(4);
    expect(first?.pending).toBe(36);
    expect(samples.at(-1)?.atMs).toBe(PLAN.days * 24 * HOUR_MS);
    const last = samples.at(-1)?.statuses;
    expect((last?.success ?? 0) + (last?.failure ?? 0)).toBe(40);
    expect(snapshot.updates).toEqual({ begun: 40, succeeded: last?.success, failed: last?.failure, aborted: 0 });
    expect(last?.failure).toBeGreaterThan(0);
    expect(snapshot.downloadedBytes).toBeGreaterThan(30 * PLAN.artifactBytes);
    expect(snapshot.exchanges.log?.count).toBe(last?.failure);
    expect(snapshot.serverFailures).toBe(0);
  });

  test("is the same for the same seed, to the instant of each exchange, and another one for another seed", async () => {
    const one = await simulateFleet(PLAN);
    const two = await simulateFleet(PLAN);
    const other = await simulateFleet({ ...PLAN, fleet: { ...PLAN.fleet, seed: "t" } });
    expect(two.digest).toBe(one.digest);
    expect(two.samples).toEqual(one.samples);
    expect(other.digest).not.toBe(one.digest);
  });

  test("devices that failed try again as often as the deployment says", async () => {
    const { snapshot, samples } = await simulateFleet({ ...PLAN, retries: 5 });
    expect(snapshot.updates.begun).toBeGreaterThan(40);
    expect(samples.at(-1)?.statuses.success).toBe(40);
  });

  test("what the server cannot do with the plan is told", async () => {
    const phases = [
      { percent: 1, afterMs: 0 },
      { percent: undefined, afterMs: HOUR_MS },
    ];
    await expect(simulateFleet({ ...PLAN, phases })).rejects.toMatchObject({ code: "empty-phase" });
  });
});

test("the plot shows each status that occurs as an area, with its number at the end", () => {
  const statuses = {
    pending: 0,
    downloading: 0,
    pause_before_installing: 0,
    installing: 0,
    pause_before_rebooting: 0,
    rebooting: 0,
    pause_before_committing: 0,
    success: 0,
    failure: 0,
    noartifact: 0,
    "already-installed": 0,
    aborted: 0,
    decommissioned: 0,
  };
  const svg = plotStatuses({
    title: "a < b",
    samples: [
      { atMs: 0, statuses: { ...statuses, pending: 10_000 } },
      { atMs: 24 * HOUR_MS, statuses: { ...statuses, success: 9999, failure: 1 } },
    ],
    marks: [
      { atMs: 0, label: "first" },
      { atMs: 1, label: "hidden" },
      { atMs: 12 * HOUR_MS, label: "second" },
      { atMs: 25 * HOUR_MS, label: "after the end" },
    ],
  });
  expect(svg.match(/<polygon/g)).toHaveLength(3);
  expect(svg).toMatch(/>success<\/text>\n<text[^>]*>9\u2009999</);
  expect(svg).toMatch(/>failure<\/text>\n<text[^>]*>1</);
  expect(svg).toContain("a &lt; b");
  expect(svg).not.toContain("aborted");
  expect(svg).not.toContain("NaN");
  // The legend stands as the areas do: what lies on top comes first.
  expect(svg.indexOf(">pending<")).toBeLessThan(svg.indexOf(">success<"));
  expect(svg).toMatch(/>0<[\s\S]*>24<[\s\S]*>first<[\s\S]*>second</);
  // A label that would lie on another one is left out; so is what comes after the end.
  expect(svg).not.toContain("hidden");
  expect(svg).not.toContain("after the end");
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(3);
});
