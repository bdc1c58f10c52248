import { expect, test } from "vitest";
import { FaultPlan, plannedFaults } from "../../../../mock-server/faults/index.ts";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";
import { freeBytesOf } from "../../../../mock-server/scenarios/world/disk-faults.ts";

const NO_FILES = { readArtifact: () => Promise.reject(new Error("no artifact is read")) };

const scenarioWith = (fault: string, expected: string) =>
  parseScenario(
    `
scenario: No room
why: To see what the device is told.
fleet: [{ name: d }, { name: e }]
releases: [{ name: v2, artifacts: [{ payload: 64 KiB }] }]
deployments: [{ name: first, release: v2, to: [d] }]
faults: [${fault}]
ends: { after: 1h }
expect: [${expected}]
`,
    "s.yaml",
  );

function planOf(fault: string): FaultPlan {
  const { faults, starts, seed } = scenarioWith(fault, "{ device: d, runs: v1 }");
  return new FaultPlan(plannedFaults(faults, starts), seed);
}

test("an agent on a full disk is told that there is no room, before it writes a payload file", async () => {
  const told: string[] = [];
  // The disk becomes full after some write of the download: one of them is the last before the payload's own file.
  for (let skip = 18; skip <= 30 && !told.some((line) => line.includes("0 bytes are free")); skip++) {
    const scenario = scenarioWith(`{ disk_full: yes, while: Download, skip: ${skip} }`, "{ device: d, runs: v1 }");
    const { outcome, events } = await runSimulated(scenario, NO_FILES);
    expect(outcome).toBe("passed");
    for (const event of events) if (event.kind === "line") told.push(event.line);
  }
  expect(told).toContainEqual(expect.stringMatching(/no room to store payload file .*: 0 bytes are free/));
});

test("what a full disk does stands in the story", async () => {
  const scenario = scenarioWith("{ disk_full: yes, while: Download }", "{ device: d, runs: v1 }");
  const { events } = await runSimulated(scenario, NO_FILES);
  expect(events).toContainEqual(expect.objectContaining({ kind: "fault", device: "d", fault: "disk_full" }));
});

test("a full disk has no room as long as it is full, for the device that it is about, and not in memory", () => {
  const plan = planOf("{ disk_full: yes, devices: [d], until: 10m }");
  const free = (device: string, atMs: number, path: string): number => freeBytesOf(plan, { device, atMs }, path, 500);
  expect(free("d", 0, "/var/lib/mender")).toBe(0);
  expect(free("e", 0, "/var/lib/mender")).toBe(500);
  expect(free("d", 600_000, "/var/lib/mender")).toBe(500);
  expect(free("d", 0, "/run")).toBe(500);
});

test.each([
  ["another fault of the disk", "{ read_only_disk: yes }"],
  ["one that lets the first writes by", "{ disk_full: yes, skip: 1 }"],
  ["one that chance decides on", "{ disk_full: yes, probability: 0.9 }"],
])("the room is what it is with %s", (_, fault) => {
  expect(freeBytesOf(planOf(fault), { device: "d", atMs: 0 }, "/data", 500)).toBe(500);
});

test("asking for the room is no write: the fault that happens once is still to come", () => {
  const plan = planOf("{ disk_full: yes, count: 1 }");
  const moment = { device: "d", atMs: 0 };
  expect(freeBytesOf(plan, moment, "/data", 500)).toBe(0);
  expect(plan.strikes("disk", moment)).toHaveLength(1);
  expect(freeBytesOf(plan, moment, "/data", 500)).toBe(500);
});
