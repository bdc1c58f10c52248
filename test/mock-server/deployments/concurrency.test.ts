import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";

describe.each(["memory", "file"] as const)("With records in a %s", (kind) => {
  let directory: string;
  let opened: TestDomain;
  let devices: string[];
  let id: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
    opened = await openTestDomain({ autoAccept: true }, kind === "file" ? { directory } : { memory: true });
    devices = await acceptedDevices(opened.domain, 20);
    await opened.domain.artifacts.insert(artifact({ id: "a1" }));
    id = await opened.domain.deployments.create({ name: "n", artifactName: "release-1", devices });
  });

  afterEach(async () => {
    await opened.domain.close();
    await rm(directory, { recursive: true });
  });

  test("two first polls of a device at the same time make one device deployment", async () => {
    const { deviceSide, deployments } = opened.domain;
    const answers = await Promise.all(devices.flatMap((device) => [0, 1].map(() => deviceSide.next(device, PROVIDES))));
    expect(new Set(answers.map((answer) => answer?.deploymentId))).toEqual(new Set([id]));
    expect(await deployments.get(id)).toMatchObject({ deviceCount: 20, totalSizeBytes: 20_000 });
    expect((await deployments.devices(id, undefined)).items).toHaveLength(20);
  });

  test("of two different ends that arrive at the same time one holds, and the other is refused", async () => {
    const { deviceSide, deployments } = opened.domain;
    await Promise.all(devices.map((device) => deviceSide.next(device, PROVIDES)));
    const answers = await Promise.allSettled(
      devices.flatMap((device) => [deviceSide.report(device, id, "success"), deviceSide.report(device, id, "failure")]),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
    const { success, failure, pending } = await deployments.statistics(id);
    expect(success + failure).toBe(20);
    expect(pending).toBe(0);
    expect((await deployments.get(id)).status).toBe("finished");
  });

  test("an abort in the middle of reports ends every device once", async () => {
    const { deviceSide, deployments } = opened.domain;
    await Promise.all(devices.map((device) => deviceSide.next(device, PROVIDES)));
    const answers = await Promise.allSettled([
      ...devices.slice(0, 10).map((device) => deviceSide.report(device, id, "success")),
      deployments.abort(id),
      ...devices.slice(10).map((device) => deviceSide.report(device, id, "success")),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 11 }, () => "fulfilled"),
      ...Array.from({ length: 10 }, () => "rejected"),
    ]);
    expect(await deployments.get(id)).toMatchObject({ status: "finished", statistics: { success: 10, aborted: 10 } });
  });

  test("a decommission at the same time as a report leaves one end", async () => {
    const { deviceSide, deployments, devices: management } = opened.domain;
    await Promise.all(devices.map((device) => deviceSide.next(device, PROVIDES)));
    await Promise.allSettled(
      devices.flatMap((device, index) =>
        index % 2 === 0
          ? [management.decommission(device), deviceSide.report(device, id, "success")]
          : [deviceSide.report(device, id, "success"), management.decommission(device)],
      ),
    );
    expect(await deployments.get(id)).toMatchObject({
      status: "finished",
      statistics: { decommissioned: 10, success: 10, pending: 0 },
    });
  });

  test("of two equal deployments that are created at the same time one is refused", async () => {
    const { deployments } = opened.domain;
    const answers = await Promise.allSettled(
      [0, 1, 2].map(() => deployments.create({ name: "twin", artifactName: "release-1", devices })),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await deployments.list({ names: ["twin"] }, "asc", { page: 1, perPage: 20 })).total).toBe(1);
  });
});
