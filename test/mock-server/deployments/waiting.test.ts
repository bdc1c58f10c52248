import { describe, expect, test } from "vitest";
import type { DeviceDeploymentSearch } from "../../../mock-server/storage/index.ts";
import { artifact } from "../domain-fixture.ts";
import { Fleet, HOUR_MS } from "../specification/fleet.ts";

const BY_DEVICE = { sort: { by: "device_id", order: "asc" } } as const;
const ALL = { page: 1, perPage: 50 };

async function waits(fleet: Fleet, id: string): Promise<Record<string, unknown>> {
  const { items } = await fleet.domain.insight.devices(id, { ...BY_DEVICE, unasked: true }, ALL);
  return Object.fromEntries(items.map(({ deviceId, waitingFor }) => [deviceId, waitingFor?.kind ?? "none"]));
}

async function reject(fleet: Fleet, device: string): Promise<void> {
  await fleet.domain.devices.decideAll({ ids: [device] }, "rejected");
}

describe("What a device waits for", () => {
  test("is told of each that has no instructions: acceptance, an older deployment, its poll, its next attempt", async () => {
    const fleet = await Fleet.of(6);
    const [out = "", busy = "", silent = "", again = "", works = "", done = ""] = fleet.devices;
    const older = await fleet.deploy(2, { devices: [busy] });
    const id = await fleet.deploy(1, { retries: 1 });
    await reject(fleet, out);
    for (const device of [again, works]) await fleet.poll(device);
    await fleet.report(again, id, "failure");
    await fleet.go(done, id);
    expect(await waits(fleet, id)).toEqual({
      [out]: "acceptance",
      [busy]: "older-deployment",
      [silent]: "poll",
      [again]: "retry",
      [works]: "none",
      [done]: "none",
    });
    const { items, total } = await fleet.domain.insight.devices(id, { ...BY_DEVICE, unasked: true }, ALL);
    expect(total).toBe(6);
    expect(items.find(({ deviceId }) => deviceId === busy)).toMatchObject({
      waitingFor: { deploymentId: older },
      asked: false,
      createdMs: fleet.system.nowMs,
    });
    expect(items.find(({ deviceId }) => deviceId === silent)?.waitingFor).toEqual({
      kind: "poll",
      sinceMs: fleet.system.nowMs,
    });
    // As the reference has it, without those that have not asked.
    const asked = await fleet.domain.insight.devices(id, BY_DEVICE, ALL);
    expect(asked.items.map(({ deviceId }) => deviceId)).toEqual([again, works, done].sort());
    await fleet.domain.deployments.pause(id);
    expect(await waits(fleet, id)).toMatchObject({ [silent]: "resume", [again]: "resume", [busy]: "older-deployment" });
  });

  test("is the next phase, once the places of the active one are taken", async () => {
    const fleet = await Fleet.of(2);
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, { phases: [{ batchSize: 50 }, { startMs }] });
    const [first = "", second = ""] = fleet.devices;
    expect(await waits(fleet, id)).toEqual({ [first]: "poll", [second]: "poll" });
    await fleet.poll(first);
    await fleet.poll(second);
    const { phases } = await fleet.domain.deployments.get(id);
    const { items } = await fleet.domain.insight.devices(id, BY_DEVICE, ALL);
    expect(items.find(({ deviceId }) => deviceId === second)?.waitingFor).toEqual({
      kind: "phase",
      phaseId: phases[1]?.id,
      startMs,
    });
    fleet.system.nowMs = startMs;
    expect(await waits(fleet, id)).toEqual({ [first]: "none", [second]: "poll" });
  });

  test("is nothing for one that matches the filter no more", async () => {
    const fleet = await Fleet.of(1);
    const device = fleet.at(0);
    await fleet.tell(device, { channel: "alpha" });
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, { filterId: await fleet.channel("alpha"), phases: [{ startMs }] });
    await fleet.poll(device);
    expect(await waits(fleet, id)).toEqual({ [device]: "phase" });
    await fleet.tell(device, { channel: "beta" });
    expect(await waits(fleet, id)).toEqual({ [device]: "nothing" });
  });
});

test("Devices of a deployment are found by text and reason, and sorted; those without the value come last", async () => {
  const fleet = await Fleet.of(4);
  await fleet.domain.artifacts.insert(artifact({ id: "x", name: "release-x" }));
  const id = await fleet.deploy(1);
  const [one = "", two = "", three = "", four = ""] = fleet.devices;
  for (const [index, device] of [two, one, three].entries()) {
    fleet.system.nowMs += HOUR_MS;
    await fleet.poll(device);
    const end = index === 2 ? "downloading" : "failure";
    await fleet.domain.deviceSide.report(device, id, end, index === 0 ? "No Space" : "cut off");
  }
  const find = async (search: Partial<DeviceDeploymentSearch>) => {
    const { items, total } = await fleet.domain.insight.devices(id, { ...BY_DEVICE, ...search }, ALL);
    expect(total).toBe(items.length);
    return items.map(({ deviceId }) => deviceId);
  };
  expect(await find({ text: "no space" })).toEqual([two]);
  expect(await find({ text: "02:00:00:00:00:3", unasked: true })).toEqual([four]);
  expect(await find({ text: one.slice(0, 12) })).toEqual([one]);
  expect(await find({ reason: "cut off" })).toEqual([one]);
  expect(await find({ sort: { by: "finished_ms", order: "asc" } })).toEqual([two, one, three]);
  expect(await find({ sort: { by: "finished_ms", order: "desc" } })).toEqual([one, two, three]);
  expect(await find({ statuses: ["downloading"], sort: { by: "created_ms", order: "asc" } })).toEqual([three]);
});
