import { describe, expect, test } from "vitest";
import { artifact, PROVIDES, TestDevice } from "../domain-fixture.ts";
import { ALL, Fleet, HOUR_MS } from "./fleet.ts";

describe("A deployment", () => {
  test("1.1, 1.3 brings its release to each of its devices that asks", async () => {
    const fleet = await Fleet.of(3);
    const id = await fleet.deploy(1);
    for (const device of fleet.devices) {
      const instructions = await fleet.domain.deviceSide.next(device, PROVIDES);
      expect(instructions).toMatchObject({ deploymentId: id, kind: "software", artifact: { name: "release-1" } });
    }
  });

  test("1.2 gives each device the artifact of the release that fits its hardware and software", async () => {
    const fleet = await Fleet.of(3);
    await fleet.domain.artifacts.insert(artifact({ id: "b", deviceTypes: ["beaglebone"] }));
    await fleet.domain.artifacts.insert(artifact({ id: "c", sizeBytes: 1, depends: { "rootfs-image.version": "7" } }));
    await fleet.deploy(1);
    const given = [
      await fleet.domain.deviceSide.next(fleet.at(0), PROVIDES),
      await fleet.domain.deviceSide.next(fleet.at(1), { ...PROVIDES, device_type: "beaglebone" }),
      await fleet.domain.deviceSide.next(fleet.at(2), { ...PROVIDES, "rootfs-image.version": "7" }),
    ];
    expect(given.map((instructions) => instructions?.artifact.id)).toEqual(["a1", "b", "c"]);
  });

  test("1.4 has an id that is random, unique, and given when it is created", async () => {
    const fleet = await Fleet.of(1);
    const ids = [await fleet.deploy(1), await fleet.deploy(2), await fleet.deploy(3)];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("1.5 has the artifacts of a release, which must be there", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ artifactName: "release-1", artifactIds: ["a1"] });
    await expect(fleet.deploy(4)).rejects.toMatchObject({
      kind: "unprocessable",
      code: "no-artifact",
    });
  });

  test("1.6 has devices, and at least one", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1);
    expect(await fleet.domain.deployments.targets(id)).toEqual([...fleet.devices].sort());
    await expect(fleet.deploy(1, { devices: [] })).rejects.toMatchObject({ kind: "invalid" });
  });

  test("1.7 may be phased: a share of the devices at a time", async () => {
    const fleet = await Fleet.of(10);
    const start = fleet.system.nowMs;
    const id = await fleet.deploy(1, {
      phases: [{ batchSize: 15 }, { batchSize: 33, startMs: start + HOUR_MS }, { startMs: start + 2 * HOUR_MS }],
    });
    const { phases } = await fleet.domain.deployments.get(id);
    expect(phases).toMatchObject([
      { batchSize: 15, places: 1, deviceCount: 0, state: "active" },
      { batchSize: 33, places: 3, deviceCount: 0, state: "scheduled", startMs: start + HOUR_MS },
      { batchSize: 52, places: 6, deviceCount: 0, state: "scheduled" },
    ]);
    expect(new Set(phases.map((phase) => phase.id)).size).toBe(3);
  });

  test("1.7 may be scheduled: a single phase that begins in the future", async () => {
    const fleet = await Fleet.of(1);
    const startMs = fleet.system.nowMs + HOUR_MS;
    const id = await fleet.deploy(1, { phases: [{ startMs }] });
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    expect(await fleet.domain.deployments.get(id)).toMatchObject({
      status: "pending",
      scheduled: true,
      phases: [{ state: "scheduled" }],
    });
    const now = await fleet.deploy(2, { phases: [{}] });
    const unphased = await fleet.deploy(3);
    const ids = async (scheduled: boolean) =>
      (await fleet.domain.deployments.list({ scheduled }, "asc", ALL)).items.map((deployment) => deployment.id);
    expect([await ids(true), await ids(false)]).toEqual([[id], [now, unphased]]);
    fleet.system.nowMs = startMs;
    expect(await fleet.poll(fleet.at(0))).toBe(id);
  });

  test("1.8 may have retries: a device that fails is given it again, so many times", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { retries: 2 });
    for (const attempt of [1, 2]) {
      await fleet.go(fleet.at(0), id, "failure");
      expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "pending", attempts: attempt + 1, retries: 2 });
      expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ pending: 1, failure: 0 });
      expect(await fleet.status(id)).toBe("inprogress");
    }
    await fleet.go(fleet.at(0), id, "failure");
    expect(await fleet.of(id, fleet.at(0))).toMatchObject({ status: "failure", attempts: 3 });
    expect(await fleet.status(id)).toBe("finished");
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
  });

  test("1.9 is for accepted devices only: any other that is listed is refused by name", async () => {
    const fleet = await Fleet.of(2);
    const [authSet] = (await fleet.domain.devices.get(fleet.at(1))).authSets;
    await fleet.domain.devices.setAuthSetStatus(fleet.at(1), authSet?.id ?? "", "rejected");
    for (const other of [fleet.at(1), "nobody"]) {
      await expect(fleet.deploy(1, { devices: [fleet.at(0), other] })).rejects.toMatchObject({
        kind: "invalid",
        details: { ids: [other] },
      });
    }
    expect((await fleet.domain.deployments.list({}, "asc", ALL)).total).toBe(0);
  });

  test("1.9 is for accepted devices only: all of them are those that are accepted now", async () => {
    const fleet = await Fleet.of(2);
    await fleet.domain.devices.preauthorize({ mac: "later" }, new TestDevice("{}").publicKey);
    const id = await fleet.deploy(1, { allDevices: true });
    expect(await fleet.domain.deployments.targets(id)).toEqual([...fleet.devices].sort());
  });

  test("1.9 is finished by a device once, whatever is done to its history", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1);
    await fleet.go(fleet.at(0), id);
    await fleet.domain.deployments.deleteHistory(fleet.at(0));
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
    await expect(fleet.report(fleet.at(0), id, "downloading")).rejects.toMatchObject({ kind: "conflict" });
    expect(await fleet.domain.deployments.statistics(id)).toMatchObject({ success: 1, pending: 1 });
  });

  test("1.10 comes after every older one that the device has not finished", async () => {
    const fleet = await Fleet.of(1);
    const ids = [await fleet.deploy(2), await fleet.deploy(1), await fleet.deploy(3)];
    for (const id of ids) await fleet.go(fleet.at(0), id);
  });

  test("1.10 is not given any more once the device has finished a newer one", async () => {
    const fleet = await Fleet.of(1);
    const filterId = await fleet.channel("beta");
    await fleet.deploy(1, { filterId });
    const newer = await fleet.deploy(2);
    await fleet.go(fleet.at(0), newer);
    await fleet.tell(fleet.at(0), { channel: "beta" });
    expect(await fleet.poll(fleet.at(0))).toBeUndefined();
  });
});
