import { describe, expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { ALL, Fleet, HOUR_MS } from "./fleet.ts";

describe("A dynamic group", () => {
  test("4.1 is a filter with a name, and no list of devices", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.channel("beta");
    expect(await fleet.domain.filters.get(id)).toEqual({
      id,
      name: "beta",
      terms: [{ scope: "inventory", attribute: "channel", type: "$eq", value: "beta" }],
    });
    expect((await fleet.domain.filters.search(id, ALL)).total).toBe(0);
    await expect(fleet.channel("beta")).rejects.toMatchObject({ kind: "conflict" });
    await expect(fleet.filter("empty")).rejects.toMatchObject({
      kind: "invalid",
      message: "at least one filter term must be provided",
    });
  });

  test("4.2 matches other devices when attributes change, and new ones when they are accepted", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.channel("beta");
    const matched = async () => (await fleet.domain.filters.search(id, ALL)).items.map((device) => device.id);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    expect(await matched()).toEqual([fleet.at(0)]);
    await fleet.tell(fleet.at(0), { channel: "stable" });
    const later = await fleet.join("later");
    await fleet.tell(later, { channel: "beta" });
    expect(await matched()).toEqual([later]);
  });
});

describe("A deployment to a dynamic group", () => {
  test("5.1 is for whoever matches when asking, as long as it is open", async () => {
    const fleet = await Fleet.of(2);
    const filterId = await fleet.channel("beta");
    const id = await fleet.deploy(1, { filterId });
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    await fleet.tell(fleet.at(0), { channel: "beta" });
    await fleet.go(fleet.at(0), id);
    const later = await fleet.join("later");
    await fleet.tell(later, { channel: "beta" });
    await fleet.go(later, id);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      dynamic: true,
      initialDeviceCount: 0,
      targetCount: 2,
      deviceCount: 2,
      statistics: { success: 2, pending: 0 },
      filter: { id: filterId, name: "beta" },
    });
  });

  test("5.1 keeps the filter as it was, also when the filter is deleted", async () => {
    const fleet = await Fleet.of(1);
    const filterId = await fleet.channel("beta");
    const id = await fleet.deploy(1, { filterId });
    await fleet.domain.filters.delete(filterId);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    await expect(fleet.deploy(2, { filterId })).rejects.toMatchObject({ kind: "not-found" });
  });

  test("5.1 is for accepted devices only", async () => {
    const fleet = await Fleet.of(2);
    const filterId = await fleet.filter("any", { scope: "identity", attribute: "mac", type: "$exists", value: true });
    const [authSet] = (await fleet.domain.devices.get(fleet.at(1))).authSets;
    await fleet.domain.devices.setAuthSetStatus(fleet.at(1), authSet?.id ?? "", "rejected");
    const id = await fleet.deploy(1, { filterId });
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ initialDeviceCount: 1 });
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
    expect(await fleet.poll(fleet.at(0))).toBe(id);
  });

  test("5.1 stays with a device that has its instructions, whatever becomes of its attributes", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { filterId: await fleet.channel("beta"), retries: 1 });
    await fleet.tell(fleet.at(0), { channel: "beta" });
    await fleet.poll(fleet.at(0));
    await fleet.tell(fleet.at(0), { channel: "stable" });
    await fleet.go(fleet.at(0), id, "failure");
    await fleet.go(fleet.at(0), id, "success");
  });

  test("5.1 forgets a device that waits for its phase and does not match any more", async () => {
    const fleet = await Fleet.of(2);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "beta" });
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, { filterId: await fleet.channel("beta"), phases: [{ startMs }] });
    const next = await fleet.deploy(2, { devices: [fleet.at(0)] });
    for (const device of fleet.devices) expect(await fleet.poll(device)).toBeUndefined();
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ targetCount: 2, statistics: { pending: 2 } });
    await fleet.tell(fleet.at(0), { channel: "stable" });
    expect(await fleet.poll(fleet.at(0))).toBe(next);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      targetCount: 1,
      deviceCount: 1,
      statistics: { pending: 1 },
    });
    expect(await fleet.of(id, fleet.at(0))).toBeUndefined();
  });

  test("5.2 does not finish when all have finished, but when a user stops it", async () => {
    const fleet = await Fleet.of(1);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    const id = await fleet.deploy(1, { filterId: await fleet.channel("beta") });
    await fleet.go(fleet.at(0), id);
    expect(await fleet.status(id)).toBe("pending");
    await fleet.domain.deployments.abort(id);
    expect(await fleet.status(id)).toBe("finished");
  });

  test("5.3 finishes after its maximum of devices, and admits no more than that meanwhile", async () => {
    const fleet = await Fleet.of(3);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "beta" });
    const id = await fleet.deploy(1, { filterId: await fleet.channel("beta"), maxDevices: 2 });
    const next = await fleet.deploy(2, { devices: [fleet.at(2)] });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.poll(fleet.at(1))).toBe(id);
    expect(await fleet.poll(fleet.at(2))).toBe(next);
    await fleet.report(fleet.at(0), id, "success");
    expect(await fleet.status(id)).toBe("pending");
    await fleet.report(fleet.at(1), id, "failure");
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      status: "finished",
      maxDevices: 2,
      targetCount: 2,
      statistics: { success: 1, failure: 1, pending: 0 },
    });
  });

  test("5.3 admits exactly its maximum of many that ask at the same time", async () => {
    const fleet = await Fleet.of(20);
    const filterId = await fleet.filter("any", { scope: "identity", attribute: "mac", type: "$exists", value: true });
    const id = await fleet.deploy(1, { filterId, maxDevices: 7 });
    const answers = await Promise.all(fleet.devices.map((device) => fleet.poll(device)));
    expect(answers.filter((answer) => answer === id)).toHaveLength(7);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ targetCount: 7, statistics: { pending: 7 } });
  });

  test("5.4 reaches a device through one static group, or through any number of dynamic ones", async () => {
    const fleet = await Fleet.of(1);
    const { groups, filters } = fleet.domain;
    await groups.assign(fleet.at(0), "lab");
    await groups.assign(fleet.at(0), "field");
    expect(await groups.names()).toEqual(["field"]);
    await fleet.tell(fleet.at(0), { channel: "beta", cpus: 4 });
    const one = await fleet.channel("beta");
    const two = await fleet.filter("large", { scope: "inventory", attribute: "cpus", type: "$gte", value: 4 });
    for (const id of [one, two]) expect((await filters.search(id, ALL)).total).toBe(1);
    const first = await fleet.deploy(1, { filterId: two });
    const second = await fleet.deploy(2, { filterId: one });
    await fleet.go(fleet.at(0), first);
    await fleet.go(fleet.at(0), second);
  });

  /** A device is updated from v1 to v2, after which it tells `version: v2`, and from there to v3. */
  async function chain(order: readonly (2 | 3)[]) {
    const fleet = await Fleet.of(1);
    const device = fleet.at(0);
    await fleet.tell(device, { version: "v1" });
    const deployments = new Map<number, string>();
    for (const release of order) {
      const value = `v${release - 1}`;
      const filterId = await fleet.filter(value, { scope: "inventory", attribute: "version", type: "$eq", value });
      deployments.set(release, await fleet.deploy(release, { filterId }));
    }
    await fleet.go(device, deployments.get(2) ?? "");
    await fleet.tell(device, { version: "v2" });
    return { fleet, device, third: deployments.get(3) };
  }

  test("1.10, 5.1 follows another one whose update makes the device match it", async () => {
    const { fleet, device, third } = await chain([2, 3]);
    expect(await fleet.poll(device, "release-2")).toBe(third);
  });

  test("1.10, 5.1 does not follow a newer one, even if its update makes the device match", async () => {
    const { fleet, device } = await chain([3, 2]);
    expect(await fleet.poll(device, "release-2")).toBeUndefined();
  });

  test("5.1 fixes the sizes of its phases at creation, and the last takes whoever comes", async () => {
    const fleet = await Fleet.of(4);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "beta" });
    const filterId = await fleet.channel("beta");
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, { filterId, phases: [{ batchSize: 50 }, { startMs }] });
    const polled = await Promise.all(fleet.devices.map((device) => fleet.poll(device)));
    expect(polled.filter((answer) => answer === id)).toHaveLength(2);
    fleet.system.nowMs = startMs;
    for (let more = 0; more < 5; more += 1) {
      const device = await fleet.join(`more-${more}`);
      await fleet.tell(device, { channel: "beta" });
      expect(await fleet.poll(device)).toBe(id);
    }
    expect((await fleet.domain.deployments.get(id)).phases).toMatchObject([
      { places: 2, deviceCount: 2, state: "finished" },
      { places: 2, deviceCount: 5, state: "active" },
    ]);
  });

  test("5.1 with phases cannot be created while nobody matches", async () => {
    const fleet = await Fleet.of(1);
    const filterId = await fleet.channel("beta");
    const startMs = fleet.system.nowMs + HOUR_MS;
    await expect(fleet.deploy(1, { filterId, phases: [{ batchSize: 50 }, { startMs }] })).rejects.toMatchObject({
      kind: "invalid",
      code: "empty-phase",
    });
  });

  test("5.1 ends for a device that is aborted before it asked, and is not offered to it again", async () => {
    const fleet = await Fleet.of(1);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    const id = await fleet.deploy(1, { filterId: await fleet.channel("beta") });
    await fleet.domain.deployments.abortDevice(fleet.at(0));
    expect(await fleet.domain.deviceSide.next(fleet.at(0), PROVIDES)).toBeUndefined();
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ aborted: 1, pending: 0 });
  });
});
