import { REPORTED_STATUSES } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { Fleet } from "./fleet.ts";

const message = (text: string) => [{ timestamp: "2027-01-01T00:00:00Z", level: "error", message: text }];

describe("A device deployment", () => {
  test("7.1, 7.2, 7.4 tells device, deployment, artifact and times, during the update and afterwards", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    const createdMs = fleet.system.nowMs;
    await fleet.poll(fleet.at(0));
    fleet.system.nowMs += 1000;
    await fleet.report(fleet.at(0), id, "downloading");
    const during = { deploymentId: id, deviceId: fleet.at(0), createdMs, startedMs: createdMs + 1000, attempts: 1 };
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ ...during, status: "downloading", artifact: { id: "a1" } });
    fleet.system.nowMs += 1000;
    await fleet.report(fleet.at(0), id, "success");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({
      ...during,
      status: "success",
      finishedMs: createdMs + 2000,
    });
  });

  test("7.3 has a substatus, which stays until another one comes", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    await fleet.poll(fleet.at(0));
    await fleet.domain.deviceSide.report(fleet.at(0), id, "installing", "half way");
    await fleet.domain.deviceSide.report(fleet.at(0), id, "rebooting");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "rebooting", substate: "half way" });
  });

  test("7.5, 1.8 has a log for each attempt, also one that arrives after the failure", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { retries: 1 });
    const { deviceSide, deployments } = fleet.domain;
    await deviceSide.next(fleet.at(0), PROVIDES);
    await deviceSide.report(fleet.at(0), id, "failure", "no space");
    await deviceSide.saveLog(fleet.at(0), id, message("first"));
    await deviceSide.next(fleet.at(0), PROVIDES);
    await deviceSide.saveLog(fleet.at(0), id, message("second"));
    await deviceSide.report(fleet.at(0), id, "failure");
    expect(await deployments.log(id, fleet.at(0), 1)).toEqual(message("first"));
    expect(await deployments.log(id, fleet.at(0))).toEqual(message("second"));
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({
      hasLog: true,
      attempts: 2,
      failedAttempts: [{ attempt: 1, substate: "no space", finishedMs: fleet.system.nowMs }],
    });
    await expect(deployments.log(id, fleet.at(0), 3)).rejects.toMatchObject({ kind: "not-found" });
  });

  test("1.8 has lost no attempt when a failure arrives again because its answer was lost", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { retries: 1 });
    await fleet.poll(fleet.at(0));
    await fleet.report(fleet.at(0), id, "failure", "failure", "failure");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "pending", attempts: 2 });
    await expect(fleet.report(fleet.at(0), id, "installing")).rejects.toMatchObject({ kind: "conflict" });
    await fleet.go(fleet.at(0), id, "success");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "success", attempts: 2 });
  });

  test("1.8 may say other things of itself at its next attempt", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { retries: 1 });
    await fleet.poll(fleet.at(0), "factory");
    await fleet.report(fleet.at(0), id, "failure");
    expect(await fleet.poll(fleet.at(0), "rescue")).toBe(id);
    await fleet.report(fleet.at(0), id, "success");
  });

  test("7.6 can be any of the statuses under way, those of a pause among them, one after any other", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    await fleet.poll(fleet.at(0));
    const active = REPORTED_STATUSES.filter((status) => !["success", "failure", "already-installed"].includes(status));
    expect(active).toEqual([
      "downloading",
      "pause_before_installing",
      "installing",
      "pause_before_rebooting",
      "rebooting",
      "pause_before_committing",
    ]);
    for (const from of active) {
      for (const to of active) {
        await fleet.report(fleet.at(0), id, from, to);
        expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ [to]: 1 });
      }
    }
  });

  test("7.7 ends as success, failure, noartifact, already-installed, aborted or decommissioned", async () => {
    const fleet = await Fleet.of(6);
    const id = await fleet.deploy(1);
    await fleet.go(fleet.at(0), id, "success");
    await fleet.go(fleet.at(1), id, "failure");
    await fleet.domain.deviceSide.next(fleet.at(2), { ...PROVIDES, device_type: "other" });
    await fleet.poll(fleet.at(3), "release-1");
    await fleet.domain.deployments.abortDevice(fleet.at(4));
    await fleet.domain.devices.decommission(fleet.at(5));
    const { statistics, status } = await fleet.domain.deployments.get(id);
    expect(status).toBe("finished");
    expect(Object.fromEntries(Object.entries(statistics).filter(([, count]) => count > 0))).toEqual({
      success: 1,
      failure: 1,
      noartifact: 1,
      "already-installed": 1,
      aborted: 1,
      decommissioned: 1,
    });
  });
});
