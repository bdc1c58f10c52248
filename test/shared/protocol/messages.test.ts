import {
  AuthRequest,
  DEVICE_DEPLOYMENT_STATUSES,
  DeploymentInstructions,
  DeploymentLog,
  DeviceProvides,
  describeFaults,
  InventoryAttributes,
  REPORTED_STATUSES,
  StatusReport,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import { expect, test } from "vitest";

test("the statuses are those of the specification and the pauses of update control", () => {
  expect([...DEVICE_DEPLOYMENT_STATUSES].sort()).toEqual(
    [
      ...["downloading", "installing", "rebooting", "pending"],
      ...["success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"],
      ...["pause_before_installing", "pause_before_rebooting", "pause_before_committing"],
    ].sort(),
  );
  expect([...TERMINAL_STATUSES].sort()).toEqual(
    ["success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"].sort(),
  );
});

test("a device cannot report what only the server decides", () => {
  for (const status of ["pending", "aborted", "noartifact", "decommissioned", "done", ""]) {
    expect(StatusReport.safeParse({ status }).success, status).toBe(false);
  }
  for (const status of REPORTED_STATUSES) expect(StatusReport.safeParse({ status }).success, status).toBe(true);
});

test("a fault names the field", () => {
  const parsed = AuthRequest.safeParse({ id_data: "", pubkey: 5 });
  expect(parsed.success ? "" : describeFaults(parsed.error)).toMatch(/id_data: .*; pubkey: /);
});

test("provides are flat strings; name and type are there, the others may be empty", () => {
  const good = { device_type: "a", artifact_name: "b", "rootfs-image.version": "1" };
  expect(DeviceProvides.parse(good)).toEqual(good);
  expect(DeviceProvides.parse({ ...good, extra: "" })).toEqual({ ...good, extra: "" });
  expect(DeviceProvides.safeParse({ ...good, artifact_name: "" }).success).toBe(false);
  expect(DeviceProvides.safeParse({ ...good, extra: ["x"] }).success).toBe(false);
  expect(DeviceProvides.safeParse({ artifact_name: "b" }).success).toBe(false);
});

test("a deployment's id can be a part of a path and of a file's name, and nothing worse", () => {
  const instructions = (id: string) => ({ id, artifact: { source: { uri: "http://x/" } } });
  expect(DeploymentInstructions.safeParse(instructions("0f6a7f5e-4b1f")).success).toBe(true);
  for (const id of ["", ".", "..", "../x", "a/b", "a b", "x".repeat(300)]) {
    expect(DeploymentInstructions.safeParse(instructions(id)).success, id).toBe(false);
  }
});

test("a link's end is a time, if it is told", () => {
  const instructions = (expire: string) => ({ id: "a", artifact: { source: { uri: "http://x/", expire } } });
  expect(DeploymentInstructions.safeParse(instructions("2030-01-01T00:00:00.123456789+01:00")).success).toBe(true);
  for (const expire of ["2030-01-01T00:00:00", "2030-02-30T00:00:00Z", "soon"]) {
    expect(DeploymentInstructions.safeParse(instructions(expire)).success, expire).toBe(false);
  }
});

test("log messages need a time, a level and a text", () => {
  const message = { timestamp: "2026-11-23T12:00:00.123456789Z", level: "info", message: "x" };
  expect(DeploymentLog.safeParse({ messages: [message] }).success).toBe(true);
  expect(DeploymentLog.safeParse({ messages: [] }).success).toBe(false);
  expect(DeploymentLog.safeParse({ messages: [{ ...message, timestamp: "yesterday" }] }).success).toBe(false);
  expect(DeploymentLog.safeParse({ messages: [{ ...message, timestamp: "2026-02-30T12:00:00Z" }] }).success).toBe(
    false,
  );
  expect(DeploymentLog.safeParse({ messages: [{ ...message, level: "" }] }).success).toBe(false);
});

test("inventory values are strings, numbers or lists of one of them", () => {
  const fits = (value: unknown): boolean => InventoryAttributes.safeParse([{ name: "n", value }]).success;
  expect(["", "x", 5, ["a"], [1, 2]].map(fits)).toEqual([true, true, true, true, true]);
  expect([true, null, {}, ["a", 1], [["a"]]].map(fits)).toEqual([false, false, false, false, false]);
});
