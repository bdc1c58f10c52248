import { describe, expect, test } from "vitest";
import { Fleet, HOUR_MS } from "../specification/fleet.ts";

describe("The success threshold of a phase", () => {
  test("keeps the next one closed until so many have succeeded, although its time has come", async () => {
    const fleet = await Fleet.of(8);
    const phases = [{ batchSize: 50, successThreshold: 75 }, { startMs: fleet.system.nowMs + HOUR_MS }];
    const id = await fleet.deploy(1, { phases });
    const [a, b, c, d, e] = fleet.devices as [string, string, string, string, string];
    for (const device of [a, b, c, d]) expect(await fleet.poll(device)).toBe(id);
    fleet.system.nowMs += HOUR_MS;
    await fleet.report(a, id, "success");
    await fleet.report(b, id, "success");
    expect(await fleet.poll(e)).toBeUndefined();
    expect((await fleet.domain.deployments.get(id)).phases.map(({ state }) => state)).toEqual(["active", "waiting"]);
    await fleet.report(c, id, "success");
    expect(await fleet.poll(e)).toBe(id);
    expect((await fleet.domain.deployments.get(id)).phases.map(({ state }) => state)).toEqual(["finished", "active"]);
  });

  test("counts neither for nor against a device that no artifact fits", async () => {
    const fleet = await Fleet.of(4);
    const phases = [{ batchSize: 50, successThreshold: 100 }, { startMs: fleet.system.nowMs }];
    const id = await fleet.deploy(1, { phases });
    await fleet.domain.deviceSide.next(fleet.at(0), { device_type: "other", artifact_name: "x" });
    expect(await fleet.poll(fleet.at(1))).toBe(id);
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
    await fleet.report(fleet.at(1), id, "success");
    expect(await fleet.poll(fleet.at(2))).toBe(id);
  });
});

describe("A success threshold that cannot be reached any more", () => {
  /** Five devices in the first phase, of which four must succeed, and five in the second. */
  async function begun(rollout: Parameters<Fleet["deploy"]>[1] = {}) {
    const fleet = await Fleet.of(10);
    const phases = [{ batchSize: 50, successThreshold: 80 }, { startMs: fleet.system.nowMs }];
    const id = await fleet.deploy(1, { phases, ...rollout });
    const first = fleet.devices.slice(0, 5);
    const later = fleet.devices.slice(5);
    for (const device of first) expect(await fleet.poll(device)).toBe(id);
    expect(await fleet.poll(fleet.at(5))).toBeUndefined();
    const paused = async () => (await fleet.domain.deployments.get(id)).paused;
    return { fleet, id, first, later, paused };
  }

  test("pauses the deployment with the status that decides it, and says why: no device waits for ever", async () => {
    const { fleet, id, paused } = await begun();
    await fleet.report(fleet.at(0), id, "failure");
    // The other four may still succeed.
    expect(await paused()).toBeUndefined();
    await fleet.report(fleet.at(1), id, "failure");
    expect(await paused()).toEqual({
      sinceMs: fleet.system.nowMs,
      reason: "phase 1: 2 of 5 devices failed, so the success threshold of 80 percent cannot be reached any more",
    });
    expect(await fleet.poll(fleet.at(5))).toBeUndefined();
    // Who is in the middle of it goes on, and changes nothing about the pause.
    const before = await paused();
    fleet.system.nowMs += 1000;
    await fleet.report(fleet.at(2), id, "failure");
    await fleet.report(fleet.at(3), id, "success");
    expect(await paused()).toEqual(before);
  });

  test("is measured without the known failures once the deployment is resumed", async () => {
    const { fleet, id, first, later, paused } = await begun();
    for (const device of first.slice(0, 2)) await fleet.report(device, id, "failure");
    await fleet.domain.deployments.resume(id);
    for (const device of first.slice(2, 4)) {
      await fleet.report(device, id, "success");
      expect(await fleet.poll(fleet.at(5))).toBeUndefined();
    }
    await fleet.report(fleet.at(4), id, "success");
    for (const device of later) await fleet.go(device, id);
    expect(await paused()).toBeUndefined();
    expect(await fleet.status(id)).toBe("finished");
  });

  test("pauses it again when more have failed after that", async () => {
    const { fleet, id, first, paused } = await begun();
    for (const device of first.slice(0, 2)) await fleet.report(device, id, "failure");
    await fleet.domain.deployments.resume(id);
    await fleet.report(fleet.at(2), id, "failure");
    expect((await paused())?.reason).toContain("3 of 5 devices failed");
    await fleet.domain.deployments.resume(id);
    await fleet.report(fleet.at(3), id, "success");
    await fleet.report(fleet.at(4), id, "success");
    expect(await fleet.poll(fleet.at(5))).toBe(id);
  });

  test("opens the next phase if everybody has failed and it is resumed all the same", async () => {
    const { fleet, id, first } = await begun();
    for (const device of first) await fleet.report(device, id, "failure");
    expect(await fleet.poll(fleet.at(5))).toBeUndefined();
    await fleet.domain.deployments.resume(id);
    expect(await fleet.poll(fleet.at(5))).toBe(id);
  });

  test("may be aborted: whoever has not ended it ends", async () => {
    const { fleet, id, first } = await begun();
    for (const device of first.slice(0, 2)) await fleet.report(device, id, "failure");
    await fleet.domain.deployments.abort(id);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      status: "finished",
      statistics: { failure: 2, aborted: 8, pending: 0 },
    });
  });

  test("may be decided by a device that counts no more", async () => {
    const { fleet, id, paused } = await begun();
    await fleet.report(fleet.at(0), id, "failure");
    // Of the remaining four, three could succeed: three of four are less than 80 percent.
    await fleet.domain.devices.decommission(fleet.at(1));
    expect((await paused())?.reason).toContain("1 of 5 devices failed, so the success threshold");
  });

  test("is not lost while a failing device may try again", async () => {
    const { fleet, id, first, paused } = await begun({ retries: 1 });
    for (const device of first.slice(0, 2)) await fleet.report(device, id, "failure");
    expect(await paused()).toBeUndefined();
    for (const device of first.slice(0, 2)) await fleet.go(device, id, "failure");
    expect(await paused()).toBeDefined();
  });

  test("counts on the places that earlier phases left for it", async () => {
    const fleet = await Fleet.of(10);
    const startMs = fleet.system.nowMs + HOUR_MS;
    const phases = [{ batchSize: 50 }, { batchSize: 20, startMs, successThreshold: 75 }, { startMs }];
    const id = await fleet.deploy(1, { phases });
    fleet.system.nowMs = startMs;
    const paused = async () => (await fleet.domain.deployments.get(id)).paused;
    // Seven places are open in the second phase: one failure of two is not the end of it.
    await fleet.go(fleet.at(0), id, "failure");
    expect(await paused()).toBeUndefined();
    await fleet.go(fleet.at(1), id, "failure");
    expect((await paused())?.reason).toContain("phase 2: 2 of 2 devices failed");
  });

  test("is crossed once by many failures at the same time", async () => {
    const { fleet, id, first, paused } = await begun();
    await Promise.all(first.map((device) => fleet.report(device, id, "failure")));
    expect((await paused())?.reason).toContain("2 of 5 devices failed");
    expect((await fleet.domain.deployments.get(id)).statistics).toMatchObject({ failure: 5, pending: 5 });
  });

  test("says nothing about a phase that has reached it already", async () => {
    const { fleet, id, first, paused } = await begun();
    for (const device of first.slice(0, 4)) await fleet.report(device, id, "success");
    expect(await fleet.poll(fleet.at(5))).toBe(id);
    await fleet.report(fleet.at(4), id, "failure");
    await fleet.report(fleet.at(5), id, "failure");
    expect(await paused()).toBeUndefined();
  });
});

describe("The error threshold of a phase", () => {
  async function failing(count: number) {
    const fleet = await Fleet.of(10);
    const id = await fleet.deploy(1, { phases: [{ startMs: fleet.system.nowMs, errorThreshold: 20 }] });
    for (const device of fleet.devices.slice(0, count)) await fleet.go(device, id, "failure");
    return { fleet, id };
  }

  test("pauses the deployment with the status that crosses it, and says why", async () => {
    const { fleet, id } = await failing(1);
    expect((await fleet.domain.deployments.get(id)).paused).toBeUndefined();
    await fleet.go(fleet.at(1), id, "failure");
    expect((await fleet.domain.deployments.get(id)).paused).toEqual({
      sinceMs: fleet.system.nowMs,
      reason: expect.stringContaining("2 of 10 devices failed"),
    });
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
  });

  test("lets those who are in the middle go on, and their failures change nothing more", async () => {
    const { fleet, id } = await failing(1);
    for (const index of [1, 2, 3]) await fleet.poll(fleet.at(index));
    await fleet.report(fleet.at(1), id, "failure");
    const { paused } = await fleet.domain.deployments.get(id);
    fleet.system.nowMs += 1000;
    expect(await fleet.poll(fleet.at(2))).toBe(id);
    await fleet.report(fleet.at(2), id, "failure");
    await fleet.report(fleet.at(3), id, "success");
    expect((await fleet.domain.deployments.get(id)).paused).toEqual(paused);
  });

  test("is forgotten when the deployment is resumed, until as many more have failed", async () => {
    const { fleet, id } = await failing(2);
    await fleet.domain.deployments.resume(id);
    await fleet.domain.deployments.resume(id);
    await fleet.go(fleet.at(2), id, "failure");
    expect((await fleet.domain.deployments.get(id)).paused).toBeUndefined();
    await fleet.go(fleet.at(3), id, "failure");
    expect((await fleet.domain.deployments.get(id)).paused).toBeDefined();
    await fleet.domain.deployments.abort(id);
    expect(await fleet.status(id)).toBe("finished");
    await expect(fleet.domain.deployments.resume(id)).rejects.toMatchObject({ kind: "unprocessable" });
  });

  test("is crossed once by many failures at the same time", async () => {
    const { fleet, id } = await failing(0);
    for (const device of fleet.devices) await fleet.poll(device);
    await Promise.all(fleet.devices.slice(0, 6).map((device) => fleet.report(device, id, "failure")));
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      paused: { reason: expect.stringContaining("2 of 10") },
      statistics: { failure: 6, pending: 4 },
    });
  });

  test("does not count a failure that is tried again, nor lets it begin while the deployment is paused", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1, { retries: 1, phases: [{ startMs: fleet.system.nowMs, errorThreshold: 50 }] });
    await fleet.go(fleet.at(0), id, "failure");
    expect((await fleet.domain.deployments.get(id)).paused).toBeUndefined();
    await fleet.domain.deployments.pause(id);
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    await fleet.domain.deployments.resume(id);
    await fleet.go(fleet.at(0), id, "success");
  });
});
