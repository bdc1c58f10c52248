import { afterEach, describe, expect, test } from "vitest";
import type { Domain } from "../../../mock-server/domain.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";

const open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open.splice(0)) await domain.close();
});

/** A server with accepted devices and the releases `release-1` to `release-3`, one artifact each. */
async function fleet(count = 1): Promise<TestDomain & { readonly devices: string[]; readonly device: string }> {
  const opened = await openTestDomain({ autoAccept: true });
  open.push(opened);
  const devices = await acceptedDevices(opened.domain, count);
  for (const number of [1, 2, 3]) {
    await opened.domain.artifacts.insert(artifact({ id: `a${number}`, name: `release-${number}` }));
  }
  return { ...opened, devices, device: devices[0] ?? "" };
}

function deploy(domain: Domain, release: number, devices: readonly string[], force = false): Promise<string> {
  return domain.deployments.create({
    name: `to-${release}`,
    artifactName: `release-${release}`,
    devices,
    forceInstallation: force,
  });
}

async function statusOf(domain: Domain, deployment: string, device: string): Promise<string | undefined> {
  const { items } = await domain.deployments.devices(deployment, undefined);
  return items.find(({ deviceId }) => deviceId === device)?.status;
}

describe("The oldest, not finished deployment that the device was targeted for", () => {
  test("is the one that was created first, even if both were created at the same instant", async () => {
    const { domain, device } = await fleet();
    const first = await deploy(domain, 2, [device]);
    await deploy(domain, 1, [device]);
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(first);
  });

  test("is the one that was created first, even if the clock went back in between", async () => {
    const { domain, device, system } = await fleet();
    const first = await deploy(domain, 2, [device]);
    system.nowMs -= 3_600_000;
    await deploy(domain, 1, [device]);
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(first);
  });

  test("stays the same until it is finished; then comes the next", async () => {
    const { domain, device } = await fleet();
    const first = await deploy(domain, 1, [device]);
    const second = await deploy(domain, 2, [device]);
    await domain.deviceSide.next(device, PROVIDES);
    for (const status of ["downloading", "installing", "pause_before_rebooting", "rebooting"] as const) {
      await domain.deviceSide.report(device, first, status);
    }
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(first);
    await domain.deviceSide.report(device, first, "failure");
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(second);
  });

  test("is not one that targets other devices", async () => {
    const { domain, devices, device } = await fleet(2);
    await deploy(domain, 1, devices.slice(1));
    expect(await domain.deviceSide.next(device, PROVIDES)).toBeUndefined();
  });

  test("is never one that the device has finished, also after its history was deleted", async () => {
    const { domain, devices, device } = await fleet(2);
    const id = await deploy(domain, 1, devices);
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(device, id, "success");
    await domain.deployments.deleteHistory(device);
    expect(await domain.deviceSide.next(device, PROVIDES)).toBeUndefined();
    expect(await domain.deployments.statistics(id)).toMatchObject({ success: 1, pending: 1 });
  });

  test("is nothing for a device that is not accepted any more", async () => {
    const { domain, device } = await fleet();
    await deploy(domain, 1, [device]);
    const [authSet] = (await domain.devices.get(device)).authSets;
    await domain.devices.setAuthSetStatus(device, authSet?.id ?? "", "rejected");
    expect(await domain.deviceSide.next(device, PROVIDES)).toBeUndefined();
  });

  test("is still there for a device that was rejected and is accepted again", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    const [authSet] = (await domain.devices.get(device)).authSets;
    await domain.devices.setAuthSetStatus(device, authSet?.id ?? "", "rejected");
    expect(await domain.deployments.statistics(id)).toMatchObject({ pending: 1 });
    await domain.devices.setAuthSetStatus(device, authSet?.id ?? "", "accepted");
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(id);
  });

  test("is an older one that is still open when a newer one was aborted before the device asked", async () => {
    const { domain, device } = await fleet();
    const older = await deploy(domain, 1, [device]);
    const newer = await deploy(domain, 2, [device]);
    await domain.deployments.abort(newer);
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(older);
  });
});

describe("The device deployment", () => {
  test("is created pending when the device first asks, not before", async () => {
    const { domain, device, system } = await fleet();
    const id = await deploy(domain, 1, [device]);
    expect((await domain.deployments.devices(id, undefined)).items).toEqual([]);
    system.nowMs += 5000;
    await domain.deviceSide.next(device, PROVIDES);
    expect((await domain.deployments.devices(id, undefined)).items).toMatchObject([
      { deviceId: device, status: "pending", createdMs: system.nowMs },
    ]);
    expect(await domain.deployments.get(id)).toMatchObject({ status: "pending", deviceCount: 1 });
  });

  test("is created once, however often the device asks, and every answer is the same", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    const answers = await Promise.all(Array.from({ length: 10 }, () => domain.deviceSide.next(device, PROVIDES)));
    for (const answer of answers) expect(answer).toMatchObject({ deploymentId: id, artifact: { id: "a1" } });
    expect(await domain.deployments.get(id)).toMatchObject({ deviceCount: 1, totalSizeBytes: 1000 });
  });
});

describe("Assigning an artifact", () => {
  test("pins it: a smaller one that is uploaded later does not change the answer", async () => {
    const { domain, device } = await fleet();
    await deploy(domain, 1, [device]);
    await domain.deviceSide.next(device, PROVIDES);
    await domain.artifacts.insert(artifact({ id: "smaller", sizeBytes: 1, depends: { "rootfs-image.version": "7" } }));
    const again = await domain.deviceSide.next(device, PROVIDES);
    expect(again?.artifact.id).toBe("a1");
  });

  test("takes one that was uploaded after the deployment was created", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    await domain.artifacts.insert(artifact({ id: "later", sizeBytes: 1, depends: { "rootfs-image.version": "7" } }));
    const answer = await domain.deviceSide.next(device, { ...PROVIDES, "rootfs-image.version": "7" });
    expect(answer?.artifact.id).toBe("later");
    expect((await domain.deployments.get(id)).artifactIds).toEqual(["a1", "later"]);
  });

  test("gives no instructions and sets noartifact if none fits; the next deployment comes at the next poll", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    const provides = { ...PROVIDES, device_type: "other" };
    const second = await deploy(domain, 2, [device]);
    expect(await domain.deviceSide.next(device, provides)).toBeUndefined();
    expect(await statusOf(domain, id, device)).toBe("noartifact");
    expect(await domain.deployments.get(id)).toMatchObject({ status: "finished", statistics: { noartifact: 1 } });
    expect((await domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(second);
  });

  test("gives no instructions and sets already-installed if the device runs it", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    expect(await domain.deviceSide.next(device, { ...PROVIDES, artifact_name: "release-1" })).toBeUndefined();
    expect(await statusOf(domain, id, device)).toBe("already-installed");
    expect(await domain.deployments.get(id)).toMatchObject({ status: "finished", totalSizeBytes: 0 });
  });

  test("gives instructions for what the device runs already if the deployment forces it", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device], true);
    const answer = await domain.deviceSide.next(device, { ...PROVIDES, artifact_name: "release-1" });
    expect(answer?.deploymentId).toBe(id);
  });

  test("gives instructions if the name is the same and the content is not", async () => {
    const { domain, device } = await fleet();
    await domain.artifacts.insert(
      artifact({ id: "rebuilt", name: "image", provides: { artifact_name: "image", "rootfs-image.checksum": "new" } }),
    );
    const id = await domain.deployments.create({ name: "rebuilt", artifactName: "image", devices: [device] });
    const answer = await domain.deviceSide.next(device, {
      device_type: "raspberrypi4",
      artifact_name: "image",
      "rootfs-image.checksum": "old",
    });
    expect(answer?.deploymentId).toBe(id);
  });
});

describe("A device that contradicts what it said when it got its instructions", () => {
  test("has failed, is told so, and goes on with the next deployment", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    const second = await deploy(domain, 2, [device]);
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(device, id, "installing");
    await expect(domain.deviceSide.next(device, { ...PROVIDES, artifact_name: "other" })).rejects.toMatchObject({
      kind: "conflict",
      code: "provides-changed",
    });
    expect(await statusOf(domain, id, device)).toBe("failure");
    const answer = await domain.deviceSide.next(device, { ...PROVIDES, artifact_name: "other" });
    expect(answer?.deploymentId).toBe(second);
  });

  test("does not contradict itself by another order of the same", async () => {
    const { domain, device } = await fleet();
    const id = await deploy(domain, 1, [device]);
    await domain.deviceSide.next(device, { ...PROVIDES, x: "1", y: "2" });
    const answer = await domain.deviceSide.next(device, { y: "2", x: "1", ...PROVIDES });
    expect(answer?.deploymentId).toBe(id);
  });

  test("contradicts itself by leaving something out", async () => {
    const { domain, device } = await fleet();
    await deploy(domain, 1, [device]);
    await domain.deviceSide.next(device, { ...PROVIDES, x: "1" });
    await expect(domain.deviceSide.next(device, PROVIDES)).rejects.toMatchObject({ kind: "conflict" });
  });
});
