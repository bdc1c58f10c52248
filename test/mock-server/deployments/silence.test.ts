import { describe, expect, inject, onTestFinished, test } from "vitest";
import { ABSENT_BATCH } from "../../../mock-server/deployments/silence/absence.ts";
import { SILENT_BATCH } from "../../../mock-server/deployments/silence/silence.ts";
import { openDomain } from "../../../mock-server/domain.ts";
import { acceptedDevices, artifact, TestSystem } from "../domain-fixture.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";
import { Fleet, HOUR_MS } from "../specification/fleet.ts";

const LIMIT = { silentAfterMs: HOUR_MS };
const PROVIDES = { device_type: "raspberrypi4", artifact_name: "factory" };
const YEARS_MS = 9 * 365 * 24 * HOUR_MS;

describe("A device that falls silent", () => {
  test("has failed once it was silent for too long with its instructions", async () => {
    const fleet = await Fleet.of(3);
    const id = await fleet.deploy(1, { silentAfterMs: HOUR_MS });
    await fleet.poll(fleet.at(0));
    fleet.system.nowMs += HOUR_MS - 1;
    await fleet.poll(fleet.at(1));
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs += 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(1);
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ failure: 1, pending: 2 });
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({
      status: "failure",
      substate: "the device has fallen silent",
    });
    await fleet.report(fleet.at(1), id, "success");
    await fleet.go(fleet.at(2), id);
    expect(await fleet.status(id)).toBe("finished");
  });

  test("counts as failed for the error threshold", async () => {
    const fleet = await Fleet.of(4);
    const phases = [{ batchSize: 50, errorThreshold: 50 }, { startMs: fleet.system.nowMs + HOUR_MS }];
    const id = await fleet.deploy(1, { silentAfterMs: HOUR_MS, phases });
    await fleet.poll(fleet.at(0));
    await fleet.poll(fleet.at(1));
    await fleet.report(fleet.at(1), id, "success");
    fleet.system.nowMs += HOUR_MS;
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
    expect((await fleet.domain.deployments.get(id)).paused?.reason).toContain("1 of 2 devices failed");
  });

  test("is counted before another device is let in, however many there are", async () => {
    const fleet = await Fleet.of(SILENT_BATCH + 2);
    const id = await fleet.deploy(1, { silentAfterMs: HOUR_MS });
    for (const device of fleet.devices.slice(1)) await fleet.poll(device);
    fleet.system.nowMs += HOUR_MS;
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ failure: SILENT_BATCH, pending: 2 });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ failure: SILENT_BATCH + 1, pending: 1 });
  });

  test("has not been silent when it joins a deployment to a filter long after that began", async () => {
    const fleet = await Fleet.of(1);
    const filterId = await fleet.filter("all", { scope: "identity", attribute: "mac", type: "$exists", value: true });
    const id = await fleet.deploy(1, { silentAfterMs: HOUR_MS, filterId });
    fleet.system.nowMs += 10 * HOUR_MS;
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "pending" });
    fleet.system.nowMs += HOUR_MS - 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs += 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(1);
  });

  test("is shown as unreachable while it is not accepted any more, and keeps its place", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    await fleet.poll(fleet.at(0));
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ unreachable: false });
    const [authSet] = (await fleet.domain.devices.get(fleet.at(0))).authSets;
    await fleet.domain.devices.setAuthSetStatus(fleet.at(0), authSet?.id ?? "", "rejected");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "pending", unreachable: true });
  });
});

describe("A device that waits is not silent", () => {
  test("for a phase, whether it has asked or not", async () => {
    const fleet = await Fleet.of(4);
    const { nowMs } = fleet.system;
    const id = await fleet.deploy(1, { ...LIMIT, phases: [{ batchSize: 25 }, { startMs: nowMs + YEARS_MS }] });
    await fleet.go(fleet.at(0), id);
    await fleet.poll(fleet.at(1));
    fleet.system.nowMs += 10 * HOUR_MS;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs = nowMs + YEARS_MS;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    expect(await fleet.poll(fleet.at(1))).toBe(id);
  });

  test("behind an older deployment", async () => {
    const fleet = await Fleet.of(1);
    const older = await fleet.deploy(1);
    await fleet.deploy(2, LIMIT);
    await fleet.poll(fleet.at(0));
    fleet.system.nowMs += 2 * HOUR_MS;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    await fleet.report(fleet.at(0), older, "success");
  });

  test("for its next attempt while the deployment is paused; after that it has the full time again", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { ...LIMIT, retries: 1 });
    await fleet.go(fleet.at(0), id, "failure");
    await fleet.domain.deployments.pause(id);
    fleet.system.nowMs += 2 * HOUR_MS;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    await fleet.domain.deployments.resume(id);
    fleet.system.nowMs += HOUR_MS - 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs += 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(1);
  });
});

describe("A device that never asks", () => {
  /** Rounds of the housekeeping for this long. @returns How many devices failed. */
  async function watch(fleet: Fleet, ms: number): Promise<number> {
    let failed = 0;
    for (const end = fleet.system.nowMs + ms; fleet.system.nowMs < end; fleet.system.nowMs += HOUR_MS / 10) {
      failed += await fleet.domain.deployments.failSilent();
    }
    return failed + (await fleet.domain.deployments.failSilent());
  }
  const LITTLE_MORE_MS = HOUR_MS / 5;

  test("has failed once it could have had its instructions for the full time", async () => {
    const fleet = await Fleet.of(3);
    const id = await fleet.deploy(1, LIMIT);
    await fleet.go(fleet.at(1), id);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    expect(await watch(fleet, 2 * LITTLE_MORE_MS)).toBe(2);
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ failure: 2, success: 1, pending: 0 });
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "failure", substate: "the device has not asked" });
    expect(await fleet.status(id)).toBe("finished");
  });

  test("has failed although it is rejected and cannot ask", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, LIMIT);
    const [authSet] = (await fleet.domain.devices.get(fleet.at(0))).authSets;
    await fleet.domain.devices.setAuthSetStatus(fleet.at(0), authSet?.id ?? "", "rejected");
    expect(await watch(fleet, HOUR_MS + LITTLE_MORE_MS)).toBe(1);
    expect(await fleet.status(id)).toBe("finished");
  });

  test("has the full time from when the last phase began, by its time and by the successes before it", async () => {
    const fleet = await Fleet.of(4);
    const startMs = fleet.system.nowMs + 10 * HOUR_MS;
    const id = await fleet.deploy(1, { ...LIMIT, phases: [{ batchSize: 25, successThreshold: 100 }, { startMs }] });
    expect(await watch(fleet, 20 * HOUR_MS)).toBe(0);
    await fleet.go(fleet.at(0), id);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    expect(await watch(fleet, 2 * LITTLE_MORE_MS)).toBe(3);
  });

  test("has the full time again after a pause", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, LIMIT);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    await fleet.domain.deployments.pause(id);
    expect(await watch(fleet, 5 * HOUR_MS)).toBe(0);
    await fleet.domain.deployments.resume(id);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    expect(await watch(fleet, 2 * LITTLE_MORE_MS)).toBe(1);
  });

  test("waits behind an older deployment, and has the full time after that", async () => {
    const fleet = await Fleet.of(1);
    const older = await fleet.deploy(1);
    await fleet.deploy(2, LIMIT);
    await fleet.poll(fleet.at(0));
    expect(await watch(fleet, 5 * HOUR_MS)).toBe(0);
    await fleet.report(fleet.at(0), older, "success");
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    expect(await watch(fleet, 2 * LITTLE_MORE_MS)).toBe(1);
  });

  test("has the full time again after a start and a jump of the clock", async () => {
    const fleet = await Fleet.of(1);
    await fleet.deploy(1, LIMIT);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    fleet.system.jump(YEARS_MS);
    expect(await watch(fleet, HOUR_MS - LITTLE_MORE_MS)).toBe(0);
    expect(await watch(fleet, 2 * LITTLE_MORE_MS)).toBe(1);
  });

  test("is no target if it only matches a filter", async () => {
    const fleet = await Fleet.of(1);
    const filterId = await fleet.filter("all", { scope: "identity", attribute: "mac", type: "$exists", value: true });
    await fleet.deploy(1, { ...LIMIT, filterId });
    expect(await watch(fleet, 5 * HOUR_MS)).toBe(0);
  });

  test("is found among more targets than one statement looks at", async () => {
    const fleet = await Fleet.of(2 * ABSENT_BATCH + 1);
    const id = await fleet.deploy(1, LIMIT);
    await fleet.go(fleet.at(7), id);
    expect(await watch(fleet, HOUR_MS + LITTLE_MORE_MS)).toBe(2 * ABSENT_BATCH);
    expect(await fleet.status(id)).toBe("finished");
  });
});

describe("Silence counts only while the server can hear", () => {
  test("after a start each device has the full time again", async () => {
    const kind = RECORDS_KIND === "memory" ? "file" : RECORDS_KIND;
    const { location, remove } = await makeRecords(kind, kind === "postgres" ? inject("postgresUrl") : undefined);
    onTestFinished(remove);
    const system = new TestSystem();
    const before = await openDomain({ system, storage: location, options: { autoAccept: true } });
    const [deviceId = ""] = await acceptedDevices(before, 1);
    await before.artifacts.insert(artifact({ id: "a", name: "release-1" }));
    const id = await before.deployments.create({ name: "n", artifactName: "release-1", allDevices: true, ...LIMIT });
    await before.deviceSide.next(deviceId, PROVIDES);
    await before.deployments.failSilent();
    await before.close();
    system.nowMs += 3 * HOUR_MS;

    const after = await openDomain({ system, storage: location });
    onTestFinished(() => after.close());
    expect(await after.deployments.failSilent()).toBe(0);
    system.nowMs += HOUR_MS - 1;
    expect(await after.deployments.failSilent()).toBe(0);
    system.nowMs += 1;
    expect(await after.deployments.failSilent()).toBe(1);
    expect(await after.deployments.statistics(id)).toMatchObject({ failure: 1 });
  });

  test.each([
    ["forward", 30 * 24 * HOUR_MS],
    ["backward", -30 * 24 * HOUR_MS],
  ])("after the clock has jumped %s each device has the full time again, and no more", async (_, ms) => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1, LIMIT);
    for (const device of fleet.devices) await fleet.poll(device);
    fleet.system.jump(ms);
    expect(await fleet.poll(fleet.at(1))).toBe(id);
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs += HOUR_MS - 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    await fleet.poll(fleet.at(1));
    fleet.system.nowMs += 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(1);
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "failure" });
  });

  test("a clock that jumps between two looks fails no device that another one waits behind", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1, LIMIT);
    await fleet.poll(fleet.at(0));
    fleet.system.jump(YEARS_MS);
    expect(await fleet.poll(fleet.at(1))).toBe(id);
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ failure: 0 });
  });
});

describe("A sign of life", () => {
  const signs: readonly (readonly [string, (fleet: Fleet, id: string) => Promise<unknown>])[] = [
    ["a log", (fleet, id) => fleet.domain.deviceSide.saveLog(fleet.at(0), id, [])],
    ["asking where it pauses", (fleet, id) => fleet.domain.deviceSide.controlMap(fleet.at(0), id)],
    ["its inventory", (fleet) => fleet.domain.inventory.merge(fleet.at(0), [])],
    ["its inventory as a whole", (fleet) => fleet.domain.inventory.replace(fleet.at(0), [])],
  ];
  test.each(signs)("is %s", async (_, sign) => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, LIMIT);
    await fleet.poll(fleet.at(0));
    fleet.system.nowMs += HOUR_MS - 1;
    await sign(fleet, id);
    fleet.system.nowMs += 1;
    expect(await fleet.domain.deployments.failSilent()).toBe(0);
    fleet.system.nowMs += HOUR_MS;
    expect(await fleet.domain.deployments.failSilent()).toBe(1);
  });
});

test("A limit that no client can keep is refused, with the shortest that is taken", async () => {
  const fleet = await Fleet.of(1);
  await expect(fleet.deploy(1, { silentAfterMs: 35_000 })).rejects.toMatchObject({
    message: expect.stringContaining("silent_after"),
  });
});
