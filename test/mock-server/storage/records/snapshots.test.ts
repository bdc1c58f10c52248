import { expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../../domain-fixture.ts";

test("records go back to where they were, all of them, and go on from there", async () => {
  const { domain } = await openTestDomain({ autoAccept: true });
  const [first = ""] = await acceptedDevices(domain, 1);
  await domain.artifacts.insert(artifact({ id: "00000000-0000-4000-8000-000000000001" }));
  const snapshot = await domain.snapshots.take();
  expect(snapshot.artifactIds).toEqual(["00000000-0000-4000-8000-000000000001"]);

  const deployment = await domain.deployments.create({ name: "a", artifactName: "release-1", allDevices: true });
  await domain.deviceSide.next(first, PROVIDES);
  await domain.devices.decommission(first);
  await domain.users.ensureAdministrator("admin@example.com", "a long password");
  const before = await domain.events.last();

  await domain.snapshots.restore(snapshot);
  expect((await domain.devices.get(first)).status).toBe("accepted");
  await expect(domain.deployments.get(deployment)).rejects.toThrow("not found");
  expect(await domain.users.accounts.list()).toEqual([]);
  // Whoever follows what changes is told of it.
  expect(await domain.events.last()).toBeGreaterThan(before);

  const again = await domain.deployments.create({ name: "a", artifactName: "release-1", allDevices: true });
  expect((await domain.deviceSide.next(first, PROVIDES))?.deploymentId).toBe(again);
  await domain.close();
});
