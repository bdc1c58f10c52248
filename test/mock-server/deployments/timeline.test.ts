import { DEVICE_DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { Fleet, HOUR_MS } from "../specification/fleet.ts";

const MINUTE_MS = 60_000;

/** Statuses with the minutes since the test began. */
async function minutes(fleet: Fleet, deployment: string, device: string, startMs: number) {
  const { states } = await fleet.domain.insight.timeline(deployment, device);
  const minute = (ms: number | undefined) => (ms === undefined ? undefined : (ms - startMs) / MINUTE_MS);
  return states.map(({ status, attempt, startedMs, finishedMs, instructedMs }) => [
    `${status} ${attempt}`,
    minute(startedMs),
    minute(finishedMs),
    minute(instructedMs),
  ]);
}

describe("A timeline", () => {
  test("tells when a device had which status, in each attempt", async () => {
    const fleet = await Fleet.of(1);
    const device = fleet.at(0);
    const startMs = fleet.system.nowMs;
    const id = await fleet.deploy(1, { retries: 1, phases: [{ startMs: startMs + 2 * MINUTE_MS }] });
    const wait = () => {
      fleet.system.nowMs += MINUTE_MS;
    };
    await expect(fleet.domain.insight.timeline(id, device)).rejects.toMatchObject({ code: "not-found" });
    wait();
    await fleet.poll(device);
    wait();
    for (const end of ["failure", "success"] as const) {
      await fleet.poll(device);
      wait();
      await fleet.report(device, id, "downloading");
      wait();
      await fleet.report(device, id, "downloading", end);
      wait();
    }
    expect(await minutes(fleet, id, device, startMs)).toEqual([
      ["pending 1", 1, 3, 2],
      ["downloading 1", 3, 4, undefined],
      ["pending 2", 4, 6, 5],
      ["downloading 2", 6, 7, undefined],
      ["success 2", 7, undefined, undefined],
    ]);
  });

  test("ends with an abort, of a device that polled and of one that did not", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1);
    await fleet.poll(fleet.at(0));
    await fleet.report(fleet.at(0), id, "installing");
    await fleet.domain.deployments.abort(id);
    const statuses = async (index: number) =>
      (await fleet.domain.insight.timeline(id, fleet.at(index))).states.map(({ status }) => status);
    expect(await statuses(0)).toEqual(["pending", "installing", "aborted"]);
    expect(await statuses(1)).toEqual(["pending", "aborted"]);
  });
});

/** The counts of a progress at its last point, with 0 for statuses without devices. */
async function lastCounts(fleet: Fleet, id: string) {
  const { points } = await fleet.domain.insight.progress(id, {});
  const none = Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0]));
  return { ...none, ...points.at(-1)?.counts };
}

describe("A progress", () => {
  test("counts the devices of a list by status, step by step, with the phases", async () => {
    const fleet = await Fleet.of(4);
    const startMs = fleet.system.nowMs;
    const id = await fleet.deploy(1, { phases: [{ batchSize: 50 }, { startMs: startMs + HOUR_MS }] });
    fleet.system.nowMs += 10 * MINUTE_MS;
    await fleet.go(fleet.at(0), id);
    await fleet.poll(fleet.at(1));
    await fleet.report(fleet.at(1), id, "downloading");
    fleet.system.nowMs += 2 * HOUR_MS;
    await fleet.go(fleet.at(2), id, "failure");
    const progress = await fleet.domain.insight.progress(id, { stepMs: 45 * MINUTE_MS });
    expect(progress.points.map(({ atMs, counts }) => [(atMs - startMs) / MINUTE_MS, counts])).toEqual([
      [0, { pending: 4 }],
      [45, { pending: 2, downloading: 1, success: 1 }],
      [90, { pending: 2, downloading: 1, success: 1 }],
      [135, { pending: 1, downloading: 1, success: 1, failure: 1 }],
    ]);
    expect(progress.phases.map(({ startMs: phaseMs, state }) => [phaseMs, state])).toEqual([
      [undefined, "finished"],
      [startMs + HOUR_MS, "active"],
    ]);
    const part = await fleet.domain.insight.progress(id, { fromMs: startMs + HOUR_MS, toMs: startMs + HOUR_MS + 1 });
    expect(part.points[0]?.counts).toEqual({ pending: 2, downloading: 1, success: 1 });
  });

  test("of a deployment to a filter counts devices from their first poll", async () => {
    const fleet = await Fleet.of(3);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "alpha" });
    const id = await fleet.deploy(1, { filterId: await fleet.channel("alpha") });
    fleet.system.nowMs += HOUR_MS;
    await fleet.go(fleet.at(0), id);
    await fleet.poll(fleet.at(1));
    await fleet.domain.deployments.abortDevice(fleet.at(2));
    const { points } = await fleet.domain.insight.progress(id, { stepMs: HOUR_MS });
    expect(points.map(({ counts }) => counts)).toEqual([{}, { pending: 1, success: 1, aborted: 1 }]);
    await fleet.domain.deployments.finish(id);
    expect(await lastCounts(fleet, id)).toEqual(await fleet.domain.deployments.statistics(id));
  });

  test("refuses an empty range, and more points than a chart has", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    const { nowMs } = fleet.system;
    const progress = (range: object) => fleet.domain.insight.progress(id, range);
    await expect(progress({ fromMs: nowMs, toMs: nowMs })).rejects.toThrow("to: must be after from, not 0 s before it");
    await expect(progress({ fromMs: 0, stepMs: 1000 })).rejects.toThrow(/^step: must be at least \d+ s/);
    await expect(fleet.domain.insight.progress("none", {})).rejects.toMatchObject({ code: "not-found" });
  });
});
