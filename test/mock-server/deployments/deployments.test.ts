import { afterEach, describe, expect, test } from "vitest";
import type { Domain } from "../../../mock-server/domain.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, TestDevice, type TestDomain } from "../domain-fixture.ts";

const open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open.splice(0)) await domain.close();
});

async function fleet(count: number): Promise<TestDomain & { readonly devices: string[] }> {
  const opened = await openTestDomain({ autoAccept: true });
  open.push(opened);
  const devices = await acceptedDevices(opened.domain, count);
  await opened.domain.artifacts.insert(artifact({ id: "a1" }));
  return { ...opened, devices };
}

const FIRST = { page: 1, perPage: 20 };

function sum(statistics: Readonly<Record<string, number>>): number {
  return Object.values(statistics).reduce((total, count) => total + count, 0);
}

function statistics(domain: Domain, id: string): Promise<Readonly<Record<string, number>>> {
  return domain.deployments.statistics(id);
}

describe("Creating a deployment", () => {
  const request = { name: "rollout", artifactName: "release-1" };

  test.each([
    [{ ...request, name: "", devices: ["x"] }, "name: cannot be blank"],
    [{ ...request, name: "n".repeat(257), devices: ["x"] }, "name: the length must be between 1 and 256"],
    [{ ...request, artifactName: "", devices: ["x"] }, "artifact_name: cannot be blank"],
    [{ ...request, devices: ["x", ""] }, "devices: a device id cannot be blank"],
    [request, "provide list of devices or set all_devices flag"],
    [{ ...request, devices: ["x"], allDevices: true }, "list of devices provided together with all_devices flag"],
    [{ ...request, devices: [] }, "no target devices"],
  ])("refuses %j", async (bad, message) => {
    const { domain } = await fleet(0);
    await expect(domain.deployments.create(bad)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(message),
    });
    expect((await domain.deployments.list({}, "desc", FIRST)).total).toBe(0);
  });

  test("names the devices that are not accepted", async () => {
    const { domain, devices } = await fleet(1);
    const unknown = Array.from({ length: 12 }, (_, index) => `unknown-${String(index).padStart(2, "0")}`);
    await expect(domain.deployments.create({ ...request, devices: [...devices, ...unknown] })).rejects.toMatchObject({
      kind: "invalid",
      details: { ids: unknown },
    });
  });

  test("refuses a device that is known and only pending", async () => {
    const opened = await openTestDomain();
    open.push(opened);
    await expect(opened.domain.authentication.authorize(new TestDevice('{"mac":"1"}').request())).rejects.toThrow();
    const [device] = (await opened.domain.devices.list({}, FIRST)).items;
    await opened.domain.artifacts.insert(artifact({ id: "a1" }));
    await expect(opened.domain.deployments.create({ ...request, devices: [device?.id ?? ""] })).rejects.toMatchObject({
      kind: "invalid",
    });
  });

  test("refuses a release that is not there", async () => {
    const { domain, devices } = await fleet(1);
    await expect(domain.deployments.create({ name: "n", artifactName: "none", devices })).rejects.toMatchObject({
      kind: "unprocessable",
      code: "no-artifact",
    });
  });

  test("refuses the same while it is under way, in whatever order the devices are named, and takes it afterwards", async () => {
    const { domain, devices } = await fleet(2);
    const id = await domain.deployments.create({ ...request, devices });
    await expect(domain.deployments.create({ ...request, devices: [...devices].reverse() })).rejects.toMatchObject({
      kind: "conflict",
      code: "deployment-exists",
    });
    await domain.deployments.create({ ...request, devices, forceInstallation: true });
    await domain.deployments.abort(id);
    expect(await domain.deployments.create({ ...request, devices })).not.toBe(id);
  });

  test("counts a device that is named twice once", async () => {
    const { domain, devices } = await fleet(1);
    const id = await domain.deployments.create({ ...request, devices: [...devices, ...devices] });
    expect(await domain.deployments.get(id)).toMatchObject({ targetCount: 1, statistics: { pending: 1 } });
  });

  test("for all devices targets those that are accepted now, and none that comes later", async () => {
    const { domain, devices } = await fleet(3);
    const id = await domain.deployments.create({ ...request, allDevices: true });
    const later = new TestDevice('{"mac":"later"}');
    const { deviceId } = await domain.authentication.verify(await domain.authentication.authorize(later.request()));
    expect(await domain.deployments.targets(id)).toEqual([...devices].sort());
    expect(await domain.deployments.get(id)).toMatchObject({ allDevices: true, targetCount: 3 });
    expect(await domain.deviceSide.next(deviceId, PROVIDES)).toBeUndefined();
  });

  test("for all devices is refused when there are none", async () => {
    const { domain } = await fleet(0);
    await expect(domain.deployments.create({ ...request, allDevices: true })).rejects.toMatchObject({
      code: "no-target-devices",
    });
  });

  test("for many devices targets every one of them", async () => {
    const { domain, devices } = await fleet(503);
    const id = await domain.deployments.create({ ...request, devices });
    expect(await domain.deployments.targets(id)).toHaveLength(503);
    expect(await statistics(domain, id)).toMatchObject({ pending: 503 });
  });
});

describe("Aborting a deployment", () => {
  test("ends what every device has not finished, polled or not, and leaves what they have", async () => {
    const { domain, devices, system } = await fleet(3);
    const [done = "", busy = "", silent = ""] = devices;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    for (const device of [done, busy]) await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(done, id, "success");
    await domain.deviceSide.report(busy, id, "downloading");
    system.nowMs += 1000;
    await domain.deployments.abort(id);

    expect(await domain.deployments.get(id)).toMatchObject({
      status: "finished",
      finishedMs: system.nowMs,
      statistics: { success: 1, aborted: 2, pending: 0, downloading: 0 },
    });
    const { items } = await domain.deployments.devices(id, "finished");
    expect(Object.fromEntries(items.map((item) => [item.deviceId, [item.status, item.finishedMs]]))).toEqual({
      [done]: ["success", system.nowMs - 1000],
      [busy]: ["aborted", system.nowMs],
      [silent]: ["aborted", system.nowMs],
    });
    await expect(domain.deviceSide.report(busy, id, "installing")).rejects.toMatchObject({
      kind: "conflict",
      code: "deployment-aborted",
    });
    expect(await domain.deviceSide.next(busy, PROVIDES)).toBeUndefined();
  });

  test("is refused when it is finished or was never there", async () => {
    const { domain, devices } = await fleet(1);
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    await domain.deployments.abort(id);
    for (const gone of [id, "unknown"]) {
      await expect(domain.deployments.abort(gone)).rejects.toMatchObject({
        kind: "unprocessable",
        code: "deployment-finished",
      });
    }
  });

  test("for one device ends all that it has open, in every deployment", async () => {
    const { domain, devices } = await fleet(2);
    const [device = "", other = ""] = devices;
    await domain.artifacts.insert(artifact({ id: "a2", name: "release-2" }));
    const shared = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    const own = await domain.deployments.create({ name: "n", artifactName: "release-2", devices: [device] });
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deployments.abortDevice(device);
    expect(await statistics(domain, shared)).toMatchObject({ aborted: 1, pending: 1 });
    expect((await domain.deployments.get(shared)).status).toBe("inprogress");
    expect(await domain.deployments.get(own)).toMatchObject({ status: "finished", statistics: { aborted: 1 } });
    expect(await domain.deviceSide.next(device, PROVIDES)).toBeUndefined();
    expect((await domain.deviceSide.next(other, PROVIDES))?.deploymentId).toBe(shared);
  });
});

test("Decommissioning a device ends what it has open, and keeps what it did", async () => {
  const { domain, devices, system } = await fleet(2);
  const [device = ""] = devices;
  await domain.artifacts.insert(artifact({ id: "a2", name: "release-2" }));
  const begun = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
  const waiting = await domain.deployments.create({ name: "n", artifactName: "release-2", devices: [device] });
  await domain.deviceSide.next(device, PROVIDES);
  await domain.deviceSide.report(device, begun, "installing");
  await domain.devices.decommission(device);
  expect(await statistics(domain, begun)).toMatchObject({ decommissioned: 1, pending: 1, installing: 0 });
  expect(await domain.deployments.get(waiting)).toMatchObject({ status: "finished", finishedMs: system.nowMs });
  await expect(domain.deviceSide.report(device, begun, "success")).rejects.toMatchObject({
    kind: "conflict",
    code: "device-decommissioned",
  });
  expect((await domain.deployments.devices(begun, "decommissioned")).items).toMatchObject([
    { deviceId: device, finishedMs: system.nowMs },
  ]);
});

describe("A report of status", () => {
  test("is refused for a deployment that the device has not asked for", async () => {
    const { domain, devices } = await fleet(1);
    const [device = ""] = devices;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    for (const [who, what] of [
      [device, id],
      [device, "unknown"],
      ["unknown", id],
    ] as const) {
      await expect(domain.deviceSide.report(who, what, "downloading")).rejects.toMatchObject({
        kind: "not-found",
        code: "not-found",
      });
    }
  });

  test("after the end is acknowledged if it is the same, else refused; nothing changes either way", async () => {
    const { domain, devices, system } = await fleet(1);
    const [device = ""] = devices;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(device, id, "failure");
    const before = await domain.deployments.get(id);
    system.nowMs += 1000;
    await domain.deviceSide.report(device, id, "failure");
    await expect(domain.deviceSide.report(device, id, "success")).rejects.toMatchObject({ kind: "conflict" });
    expect(await domain.deployments.get(id)).toEqual(before);
  });

  test("keeps the substate until another one comes", async () => {
    const { domain, devices } = await fleet(1);
    const [device = ""] = devices;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    await domain.deviceSide.next(device, PROVIDES);
    const substate = async () => (await domain.deployments.devices(id, undefined)).items[0]?.substate;
    await domain.deviceSide.report(device, id, "downloading", "half");
    expect(await substate()).toBe("half");
    await domain.deviceSide.report(device, id, "installing", "");
    expect(await substate()).toBe("half");
    await domain.deviceSide.report(device, id, "rebooting", "again");
    expect(await substate()).toBe("again");
  });
});

describe("A deployment log", () => {
  const line = (message: string) => ({ timestamp: "2027-01-01T00:00:00Z", level: "error", message });

  test("is kept, replaced by the next, and taken at any time, also after the end", async () => {
    const { domain, devices } = await fleet(1);
    const [device = ""] = devices;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    await expect(domain.deviceSide.saveLog(device, id, [line("early")])).rejects.toMatchObject({
      kind: "not-found",
      code: "logged-deployment-not-found",
    });
    await domain.deviceSide.next(device, PROVIDES);
    await expect(domain.deployments.log(id, device)).rejects.toMatchObject({ kind: "not-found" });
    await domain.deviceSide.saveLog(device, id, [line("one")]);
    await domain.deployments.abort(id);
    await domain.deviceSide.saveLog(device, id, [line("two"), line("three 💥")]);
    expect(await domain.deployments.log(id, device)).toEqual([line("two"), line("three 💥")]);
    expect((await domain.deployments.devices(id, undefined)).items).toMatchObject([{ hasLog: true }]);
  });
});

describe("Lists", () => {
  async function three(): Promise<TestDomain & { readonly ids: string[]; readonly devices: string[] }> {
    const opened = await fleet(2);
    const { domain, system, devices } = opened;
    await domain.artifacts.insert(artifact({ id: "a2", name: "100%_Release" }));
    const ids: string[] = [];
    for (const [name, artifactName] of [
      ["alpha", "release-1"],
      ["beta", "release-1"],
      ["gamma", "100%_Release"],
    ] as const) {
      ids.push(await domain.deployments.create({ name, artifactName, devices }));
      system.nowMs += 10_000;
    }
    return { ...opened, ids };
  }

  test("of deployments come newest first or oldest first, by pages, with the total of all", async () => {
    const { domain, ids } = await three();
    const names = async (order: "asc" | "desc", page: number) => {
      const found = await domain.deployments.list({}, order, { page, perPage: 2 });
      return [found.items.map(({ id }) => ids.indexOf(id)), found.total];
    };
    expect(await names("desc", 1)).toEqual([[2, 1], 3]);
    expect(await names("desc", 2)).toEqual([[0], 3]);
    expect(await names("desc", 3)).toEqual([[], 3]);
    expect(await names("asc", 1)).toEqual([[0, 1], 3]);
  });

  test.each([
    [{ search: "ALPH" }, ["alpha"]],
    [{ search: "release" }, ["alpha", "beta", "gamma"]],
    [{ search: "0%_r" }, ["gamma"]],
    [{ search: "_elease" }, []],
    [{ search: "%" }, ["gamma"]],
    [{ search: "' or 1=1 --" }, []],
    [{ search: "!" }, []],
    [{ search: "x".repeat(60_000) }, []],
    [{ names: ["alpha", "gamma", "none"] }, ["alpha", "gamma"]],
    [{ names: [] }, []],
    [{ status: "pending" }, ["alpha", "beta", "gamma"]],
    [{ status: "finished" }, []],
    [{ createdFromMs: Date.UTC(2027, 0, 1) + 10_000 }, ["beta", "gamma"]],
    [{ createdToMs: Date.UTC(2027, 0, 1) + 10_000 }, ["alpha", "beta"]],
  ] as const)("of deployments are filtered: %o", async (filter, expected) => {
    const { domain } = await three();
    const { items, total } = await domain.deployments.list(filter, "asc", FIRST);
    expect(items.map(({ name }) => name)).toEqual(expected);
    expect(total).toBe(expected.length);
  });

  test("of device deployments are filtered by status and by words for several", async () => {
    const { domain, ids, devices } = await three();
    const [first = ""] = ids;
    const [a = "", b = ""] = devices;
    for (const device of devices) await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(a, first, "pause_before_installing");
    await domain.deviceSide.report(b, first, "success");
    const found = async (filter: "active" | "finished" | "pause" | "success" | undefined) =>
      (await domain.deployments.devices(first, filter, FIRST)).items.map(({ deviceId }) => deviceId);
    expect(await found("active")).toEqual([a]);
    expect(await found("pause")).toEqual([a]);
    expect(await found("finished")).toEqual([b]);
    expect(await found("success")).toEqual([b]);
    expect(await found(undefined)).toEqual([a, b]);
    expect(await domain.deployments.devices(first, undefined, { page: 2, perPage: 1 })).toMatchObject({
      items: [{ deviceId: b }],
      total: 2,
    });
  });

  test("of a device's history come newest first and tell what was deleted", async () => {
    const { domain, ids, devices, system } = await three();
    const [device = ""] = devices;
    const [first = "", second = ""] = ids;
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(device, first, "failure");
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deployments.deleteHistory(device);
    const { items, total } = await domain.deployments.history(device, undefined, FIRST);
    expect(total).toBe(2);
    expect(items).toMatchObject([
      { deployment: { id: second }, device: { status: "pending" } },
      { deployment: { id: first }, device: { status: "failure", deletedMs: system.nowMs } },
    ]);
    expect(items[0]?.device.deletedMs).toBeUndefined();
    expect((await domain.deployments.history(device, "active", FIRST)).total).toBe(1);
  });

  test("of statistics tell of those that exist", async () => {
    const { domain, ids } = await three();
    const [first = ""] = ids;
    const found = await domain.deployments.statisticsOf(["unknown", first]);
    expect(found).toMatchObject([{ id: first, statistics: { pending: 2 } }]);
    expect(sum(found[0]?.statistics ?? {})).toBe(2);
    await expect(domain.deployments.statistics("unknown")).rejects.toMatchObject({ kind: "not-found" });
    await expect(domain.deployments.get("unknown")).rejects.toMatchObject({ kind: "not-found" });
    await expect(domain.deployments.devices("unknown", undefined)).rejects.toMatchObject({ kind: "not-found" });
    await expect(domain.deployments.targets("unknown")).rejects.toMatchObject({ kind: "not-found" });
  });
});
