import {
  DEVICE_DEPLOYMENT_STATUSES,
  type DeploymentStatus,
  type DeviceDeploymentStatus,
  REPORTED_STATUSES,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import {
  deploymentStatus,
  milestones,
  verdictOn,
} from "../../../mock-server/deployments/device-deployment/lifecycle.ts";
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

describe("The status of a deployment to a list of devices", () => {
  const of = (counts: Partial<Record<DeviceDeploymentStatus, number>>): Statistics => ({
    ...(Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0])) as Record<
      DeviceDeploymentStatus,
      number
    >),
    ...counts,
  });

  const listed = (status: DeploymentStatus, target_count: number) => ({
    status,
    target_count,
    dynamic: 0 as const,
    max_devices: null,
  });

  test("is pending while no device has got anywhere", () => {
    expect(deploymentStatus(listed("pending", 3), of({ pending: 3 }))).toBe("pending");
  });

  test.each(DEVICE_DEPLOYMENT_STATUSES.filter((status) => status !== "pending"))(
    "is inprogress once one is %s",
    (status) => {
      expect(deploymentStatus(listed("pending", 3), of({ pending: 2, [status]: 1 }))).toBe("inprogress");
    },
  );

  test("is finished once every device has come to any of the ends", () => {
    const all = Object.fromEntries(TERMINAL_STATUSES.map((status) => [status, 1]));
    expect(deploymentStatus(listed("inprogress", TERMINAL_STATUSES.length), of(all))).toBe("finished");
  });

  test("never goes back", () => {
    expect(deploymentStatus(listed("inprogress", 3), of({ pending: 3 }))).toBe("inprogress");
    expect(deploymentStatus(listed("finished", 2), of({ pending: 1, success: 1 }))).toBe("finished");
  });
});

describe("The status of a deployment to a filter", () => {
  const none = Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0])) as Record<
    DeviceDeploymentStatus,
    number
  >;
  const dynamic = (max_devices: number | null) =>
    ({ status: "pending", target_count: 3, dynamic: 1, max_devices }) as const;

  test("stays pending while devices are active, and when all that came have ended", () => {
    expect(deploymentStatus(dynamic(null), { ...none, installing: 3 })).toBe("pending");
    expect(deploymentStatus(dynamic(null), { ...none, success: 3 }, true)).toBe("pending");
  });

  test("is finished once as many have ended as it may have, whatever their end", () => {
    expect(deploymentStatus(dynamic(3), { ...none, success: 1, failure: 1, pending: 1 })).toBe("pending");
    expect(deploymentStatus(dynamic(3), { ...none, success: 1, failure: 1, noartifact: 1 })).toBe("finished");
  });
});
