import { expect, onTestFinished, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../domain-fixture.ts";

const IDS = ["0082f4c4-77de-48ec-be72-af837efdca6e", "1182f4c4-77de-48ec-be72-af837efdca6e"] as const;
const INDEX = {
  index: { blob: "2282f4c4-77de-48ec-be72-af837efdca6e", sizeBytes: 1000, sha256: "a".repeat(64) },
  chunks: { blob: "3382f4c4-77de-48ec-be72-af837efdca6e", sizeBytes: 5_000_000_000 },
} as const;

async function setup() {
  const { domain } = await openTestDomain({ autoAccept: true });
  onTestFinished(() => domain.close());
  await domain.artifacts.insert(artifact({ id: IDS[0] }));
  return domain;
}

test("what downloads cost is summed over devices and attempts, and the last report of an attempt counts", async () => {
  const domain = await setup();
  const { deviceSide, deployments } = domain;
  const devices = await acceptedDevices(domain, 3);
  const id = await deployments.create({ name: "d", artifactName: "release-1", devices, retries: 1 });
  const cost = (fetched: number) => ({ needed: 3_000_000_000, reused: 10, fetched });
  const [first = "", second = ""] = devices;
  for (const device of devices) await deviceSide.next(device, PROVIDES);

  await deviceSide.report(first, id, "downloading", undefined, cost(1));
  await deviceSide.report(first, id, "success", undefined, cost(2));
  await deviceSide.report(second, id, "failure", undefined, { ...cost(4), plain: "chunk-wrong" });
  // The answer was lost: it still tells of the first attempt.
  await deviceSide.report(second, id, "failure", undefined, { ...cost(8), plain: "chunk-wrong" });
  expect((await deployments.get(id)).downloads).toEqual({ count: 2, needed: 6_000_000_000, reused: 20, fetched: 10 });
  await deviceSide.next(second, PROVIDES);
  await deviceSide.report(second, id, "success", undefined, cost(16));

  const { downloads } = await deployments.get(id);
  expect(downloads).toEqual({ count: 3, needed: 9_000_000_000, reused: 30, fetched: 26 });
  const { items } = await deployments.devices(id, undefined);
  const byDevice = new Map(items.map(({ deviceId, download }) => [deviceId, download]));
  expect(byDevice.get(first)).toMatchObject(cost(2));
  expect(byDevice.get(second)).toMatchObject(cost(16));
  expect(byDevice.get(second)).not.toHaveProperty("plain");
  expect(items.filter(({ download }) => download === undefined)).toHaveLength(1);
});

test("the index of an artifact is published once, and ends with the artifact", async () => {
  const { artifacts } = await setup();
  await artifacts.insert(artifact({ id: IDS[1], name: "release-2", modifiedMs: 1 }));
  expect((await artifacts.notIndexed()).map(({ id }) => id)).toEqual([IDS[1], IDS[0]]);
  expect(await artifacts.setIndex(IDS[0], INDEX)).toBe(true);
  expect(await artifacts.setIndex(IDS[0], { fault: "late" })).toBe(false);
  expect(await artifacts.setIndex(IDS[1], { fault: "it is too small" })).toBe(true);
  expect(await artifacts.setIndex("4482f4c4-77de-48ec-be72-af837efdca6e", INDEX)).toBe(false);
  expect(await artifacts.notIndexed()).toEqual([]);
  expect([...(await artifacts.indexesOf(IDS))]).toEqual([
    [IDS[0], INDEX],
    [IDS[1], { fault: "it is too small" }],
  ]);
  expect(await artifacts.indexes()).toEqual([{ artifactId: IDS[0], index: INDEX }]);
  expect(await artifacts.indexBytes()).toBe(5_000_001_000);
  expect(await artifacts.sizeBytes()).toBe(5_000_003_000);
  expect(await artifacts.delete(IDS[0])).toEqual([IDS[0], INDEX.index.blob, INDEX.chunks.blob]);
  expect(await artifacts.delete(IDS[1])).toEqual([IDS[1]]);
  expect(await artifacts.indexes()).toEqual([]);
});

test("an artifact that was deployed is marked as deleted, and its index goes", async () => {
  const domain = await setup();
  const { artifacts, deployments, deviceSide } = domain;
  const [device = ""] = await acceptedDevices(domain, 1);
  const id = await deployments.create({ name: "d", artifactName: "release-1", devices: [device] });
  await deviceSide.next(device, PROVIDES);
  await deviceSide.report(device, id, "success");
  await artifacts.setIndex(IDS[0], INDEX);
  expect(await artifacts.delete(IDS[0])).toContain(INDEX.chunks.blob);
  expect(await artifacts.indexes()).toEqual([]);
  expect(await artifacts.notIndexed()).toEqual([]);
});
