import { expect, test } from "vitest";
import { Fleet } from "../specification/fleet.ts";

test("A retry deploys the same to the accepted devices that failed, and names what it retries", async () => {
  const fleet = await Fleet.of(4);
  const { deployments, devices } = fleet.domain;
  const id = await fleet.deploy(1, {
    forceInstallation: true,
    retries: 0,
    silentAfterMs: 7_200_000,
    phases: [{ batchSize: 50, startMs: 0 }, { startMs: 1 }],
  });
  await fleet.go(fleet.at(0), id, "success");
  for (const index of [1, 2]) await fleet.go(fleet.at(index), id, "failure");
  const { authSets } = await devices.get(fleet.at(2));
  for (const set of authSets) await devices.setAuthSetStatus(fleet.at(2), set.id, "rejected");
  const again = await deployments.retry(id);
  expect(await deployments.targets(again)).toEqual([fleet.at(1)]);
  expect(await deployments.get(again)).toMatchObject({
    name: "to-1",
    artifactName: "release-1",
    forceInstallation: true,
    silentAfterMs: 7_200_000,
    phases: [],
    retryOf: id,
  });
  expect((await deployments.get(id)).retryOf).toBeUndefined();
  expect(await fleet.poll(fleet.at(1))).toBe(again);
  await expect(deployments.retry(id)).rejects.toMatchObject({ code: "deployment-exists", details: { id: again } });
  expect((await deployments.get(await deployments.retry(id, "another name"))).name).toBe("another name");
  await expect(deployments.retry(again)).rejects.toMatchObject({ code: "no-target-devices" });
  await expect(deployments.retry("none")).rejects.toMatchObject({ code: "not-found" });
});
