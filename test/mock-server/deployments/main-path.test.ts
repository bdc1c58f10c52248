import { afterEach, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";

let open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open) await domain.close();
  open = [];
});

async function start(): Promise<TestDomain> {
  const opened = await openTestDomain({ autoAccept: true });
  open.push(opened);
  return opened;
}

test("A deployment goes from its creation to the success of its only device", async () => {
  const { domain, system } = await start();
  const [device = ""] = await acceptedDevices(domain, 1);
  await domain.artifacts.insert(artifact({ id: "a1" }));
  const id = await domain.deployments.create({ name: "first", artifactName: "release-1", devices: [device] });
  expect(await domain.deployments.get(id)).toMatchObject({ status: "pending", targetCount: 1, deviceCount: 0 });

  const instructions = await domain.deviceSide.next(device, PROVIDES);
  expect(instructions).toMatchObject({ deploymentId: id, artifact: { id: "a1" } });
  expect((await domain.deployments.get(id)).status).toBe("pending");

  for (const status of ["downloading", "installing", "rebooting"] as const) {
    await domain.deviceSide.report(device, id, status);
    expect((await domain.deployments.get(id)).status).toBe("inprogress");
  }
  system.nowMs += 60_000;
  await domain.deviceSide.report(device, id, "success");
  expect(await domain.deployments.get(id)).toMatchObject({
    status: "finished",
    finishedMs: system.nowMs,
    deviceCount: 1,
    totalSizeBytes: 1000,
    statistics: { success: 1, pending: 0, downloading: 0 },
  });
  expect(await domain.deviceSide.next(device, PROVIDES)).toBeUndefined();
  expect((await domain.deployments.devices(id, undefined)).items).toMatchObject([
    { deviceId: device, status: "success", artifact: { id: "a1" }, hasLog: false },
  ]);
});
