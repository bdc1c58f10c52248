import {
  DEVICE_DEPLOYMENT_STATUSES,
  type DeviceDeploymentStatus,
  REPORTED_STATUSES,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { isComplete, milestones, verdictOn } from "../../../mock-server/deployments/device-deployment/lifecycle.ts";
import type { Statistics } from "../../../mock-server/storage/index.ts";

describe("A report", () => {
  const ACTIVE = DEVICE_DEPLOYMENT_STATUSES.filter(
    (status) => !(TERMINAL_STATUSES as readonly string[]).includes(status),
  );

  test.each(ACTIVE)("changes %s to whatever else the device reports", (current) => {
    for (const reported of REPORTED_STATUSES) {
      expect(verdictOn(current, reported)).toEqual({ kind: reported === current ? "same" : "change" });
    }
  });

  test.each(["success", "failure", "already-installed"] as const)(
    "of %s again is fine, of anything else is refused",
    (end) => {
      for (const reported of REPORTED_STATUSES) {
        expect(verdictOn(end, reported).kind).toBe(reported === end ? "same" : "refuse");
      }
    },
  );

  test.each([
    ["aborted", { code: "deployment-aborted" }],
    ["decommissioned", { code: "device-decommissioned" }],
    ["noartifact", { code: "device-deployment-finished", details: { status: "noartifact" } }],
  ] as const)("after %s is refused, whatever it says", (end, error) => {
    for (const reported of REPORTED_STATUSES) {
      expect(verdictOn(end, reported)).toMatchObject({ kind: "refuse", error });
    }
  });
});

describe("The milestones of a device deployment", () => {
  const untouched = { started_ms: null, finished_ms: null };

  test("are set when it first is anything but pending, and when it ends", () => {
    expect(milestones(untouched, "pending", 5)).toEqual(untouched);
    const started = milestones(untouched, "downloading", 6);
    expect(started).toEqual({ started_ms: 6, finished_ms: null });
    expect(milestones(started, "success", 7)).toEqual({ started_ms: 6, finished_ms: 7 });
  });

  test("are never taken back", () => {
    expect(milestones({ started_ms: 1, finished_ms: 2 }, "pending", 9)).toEqual({ started_ms: 1, finished_ms: 2 });
  });
});

describe("A deployment is finished", () => {
  const of = (counts: Partial<Record<DeviceDeploymentStatus, number>>): Statistics => ({
    ...(Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0])) as Record<
      DeviceDeploymentStatus,
      number
    >),
    ...counts,
  });

  test("to a list of devices once every device has come to any of the ends", () => {
    const listed = { target_count: TERMINAL_STATUSES.length, dynamic: 0, max_devices: null } as const;
    const all = Object.fromEntries(TERMINAL_STATUSES.map((status) => [status, 1]));
    expect(isComplete(listed, of({ ...all, success: 0, installing: 1 }))).toBe(false);
    expect(isComplete(listed, of(all))).toBe(true);
  });

  const dynamic = (max_devices: number | null) => ({ target_count: 3, dynamic: 1, max_devices }) as const;

  test("to a filter by a user, also when all that came have ended", () => {
    expect(isComplete(dynamic(null), of({ success: 3 }))).toBe(false);
  });

  test("to a filter once as many have ended as it may have, whatever their end", () => {
    expect(isComplete(dynamic(3), of({ success: 1, failure: 1, pending: 1 }))).toBe(false);
    expect(isComplete(dynamic(3), of({ success: 1, failure: 1, noartifact: 1 }))).toBe(true);
  });
});
