import type { LogMessage } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { reasonOf } from "../../../mock-server/deployments/device-deployment/failure-reason.ts";
import { Fleet } from "../specification/fleet.ts";

const line = (message: string, level = "error"): LogMessage => ({ timestamp: "2027-01-01T00:00:00Z", level, message });

describe("The reason of a failure", () => {
  test("is the last error in the log, or the substate of a device that sent none", async () => {
    const fleet = await Fleet.of(4);
    const id = await fleet.deploy(1);
    const { deviceSide, insight } = fleet.domain;
    for (const device of fleet.devices) await fleet.poll(device);
    const [first = "", second = "", third = "", fourth = ""] = fleet.devices;
    for (const device of [first, second]) {
      await deviceSide.report(device, id, "failure", "ArtifactInstall");
      await deviceSide.saveLog(device, id, [
        line("started"),
        line(`no space for ${device}`),
        line("rolled back", "info"),
      ]);
    }
    // A client may send its log first.
    await deviceSide.saveLog(third, id, [line("no space for 7f000001"), line("done", "info")]);
    await deviceSide.report(third, id, "failure", "ArtifactInstall");
    await deviceSide.report(fourth, id, "failure", "ArtifactInstall");
    const shown = (await insight.failures({ deploymentId: id })).map(({ reason, count, sample }) => ({
      reason,
      count,
      devices: sample.map(({ deviceId }) => deviceId).sort(),
    }));
    expect(shown).toEqual([
      { reason: "no space for …", count: 3, devices: [first, second, third].sort() },
      { reason: "ArtifactInstall", count: 1, devices: [fourth] },
    ]);
    expect((await fleet.of(id, first))?.reason).toBe("no space for …");
  });

  test("of an attempt is kept with the attempt, and the next one begins without", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1, { retries: 1 });
    const { deviceSide, insight } = fleet.domain;
    const [logs = "", silent = ""] = fleet.devices;
    for (const device of fleet.devices) {
      await fleet.poll(device);
      await deviceSide.report(device, id, "failure", "Download");
    }
    await deviceSide.saveLog(logs, id, [line("cut off")]);
    expect((await fleet.of(id, logs))?.failedAttempts).toMatchObject([{ attempt: 1, reason: "cut off" }]);
    expect((await fleet.of(id, silent))?.failedAttempts).toMatchObject([{ attempt: 1, reason: "Download" }]);
    expect(await insight.failures({})).toEqual([]);
    for (const device of fleet.devices) await fleet.go(device, id, device === logs ? "failure" : "success");
    expect(await insight.failures({})).toEqual([{ count: 1, sample: [{ deploymentId: id, deviceId: logs }] }]);
    expect((await fleet.of(id, silent))?.reason).toBeUndefined();
  });

  test("of all deployments since a time are counted, ten devices named", async () => {
    const fleet = await Fleet.of(12);
    const { insight } = fleet.domain;
    const old = await fleet.deploy(1, { devices: [fleet.at(0)] });
    await fleet.go(fleet.at(0), old, "failure");
    fleet.system.nowMs += 1000;
    const id = await fleet.deploy(2);
    for (const device of fleet.devices) await fleet.go(device, id, "failure");
    const sinceMs = fleet.system.nowMs;
    expect((await insight.failures({})).map(({ count }) => count)).toEqual([13]);
    const [group] = await insight.failures({ sinceMs });
    expect([group?.count, group?.sample.length]).toEqual([12, 10]);
    expect(await insight.failures({ sinceMs: sinceMs + 1 })).toEqual([]);
    await expect(insight.failures({ deploymentId: "none" })).rejects.toMatchObject({ code: "not-found" });
  });
});

test.each([
  ["exit status 1", "exit status 1"],
  ["at 2027-03-01T12:00:00.5Z host 192.0.2.7 said no", "at … host … said no"],
  ["02:00:5e:00:53:01: pid 48213 of 5e0a6d5c-3f0e-4c0c-8f0a-2f6f2f0a8d11 died", "…: pid … of … died"],
  ["checksum 9f86d081884c7d65 differs, feedback defaced", "checksum … differs, feedback defaced"],
  ["two\nlines", "two\\nlines"],
  ["x".repeat(500), "x".repeat(200)],
])("%j is grouped as %j", (text, reason) => {
  expect(reasonOf(text)).toBe(reason);
});
