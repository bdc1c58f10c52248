import { describe, expect, test } from "vitest";
import { artifact, PROVIDES } from "../domain-fixture.ts";
import { Fleet, HOUR_MS } from "./fleet.ts";

describe("When a device asks", () => {
  test("8.1, 8.2 it gets the oldest that it has not finished of those that target it, listed or matched", async () => {
    const fleet = await Fleet.of(2);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    const matched = await fleet.deploy(1, { filterId: await fleet.channel("beta") });
    const listed = await fleet.deploy(2);
    expect(await fleet.poll(fleet.at(1))).toBe(listed);
    await fleet.go(fleet.at(0), matched);
    await fleet.go(fleet.at(0), listed);
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
  });

  test("8.3 its device deployment is created pending, before anything else is decided", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { phases: [{ startMs: fleet.system.nowMs + HOUR_MS }] });
    expect(await fleet.of(id, fleet.at(0))).toBeUndefined();
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "pending" });
    const { phases, deviceCount } = await fleet.domain.deployments.get(id);
    expect({ deviceCount, inPhase: phases[0]?.deviceCount }).toEqual({ deviceCount: 1, inPhase: 0 });
  });

  test("8.4 in a phase that is active it gets its instructions", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1, { phases: [{ batchSize: 50 }, { startMs: fleet.system.nowMs + HOUR_MS }] });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect((await fleet.domain.deployments.get(id)).phases[0]?.deviceCount).toBe(1);
  });

  test("8.5 without an active phase it gets nothing, and everything newer waits behind it", async () => {
    const fleet = await Fleet.of(2);
    const start = fleet.system.nowMs;
    const phases = [{ batchSize: 50, startMs: start + HOUR_MS }, { startMs: start + 2 * HOUR_MS }];
    const id = await fleet.deploy(1, { phases });
    const newer = await fleet.deploy(2);
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    fleet.system.nowMs = start + HOUR_MS;
    await fleet.go(fleet.at(0), id);
    expect(await fleet.poll(fleet.at(0))).toBe(newer);
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
    fleet.system.nowMs = start + 2 * HOUR_MS;
    await fleet.go(fleet.at(1), id);
  });

  test("8.6 it gets the artifact that is assigned to it, the same each time", async () => {
    const fleet = await Fleet.of(1);
    await fleet.deploy(1);
    const first = await fleet.domain.deviceSide.next(fleet.at(0), PROVIDES);
    await fleet.domain.artifacts.insert(artifact({ id: "new", sizeBytes: 1, depends: { x: "1" } }));
    expect(await fleet.domain.deviceSide.next(fleet.at(0), PROVIDES)).toEqual(first);
  });

  test("8.7 it gets nothing if no artifact fits, and the next deployment at the next poll", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    await fleet.domain.artifacts.insert(artifact({ id: "o", name: "release-2", deviceTypes: ["other"] }));
    const next = await fleet.deploy(2);
    const other = { ...PROVIDES, device_type: "other" };
    expect(await fleet.domain.deviceSide.next(fleet.at(0), other)).toBeUndefined();
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "noartifact" });
    expect(await fleet.domain.deviceSide.next(fleet.at(0), other)).toMatchObject({ deploymentId: next });
  });

  test("8.8 it gets nothing if it runs the artifact already, unless that is forced", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    expect(await fleet.poll(fleet.at(0), "release-1")).toBeUndefined();
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "already-installed" });
    const forced = await fleet.deploy(1, { forceInstallation: true });
    expect(await fleet.poll(fleet.at(0), "release-1")).toBe(forced);
  });

  test("8.7, 8.8 a decision without instructions takes a place in the phase, too", async () => {
    const fleet = await Fleet.of(4);
    const id = await fleet.deploy(1, { phases: [{ batchSize: 50 }, { startMs: fleet.system.nowMs + HOUR_MS }] });
    await fleet.poll(fleet.at(0), "release-1");
    await fleet.domain.deviceSide.next(fleet.at(1), { ...PROVIDES, device_type: "other" });
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
    expect((await fleet.domain.deployments.get(id)).phases[0]?.deviceCount).toBe(2);
  });
});
