import { describe, expect, test } from "vitest";
import type { NewDeployment, Preview, PreviewOutcome } from "../../../mock-server/domain.ts";
import { fc } from "../../support/fast-check.ts";
import { artifact } from "../domain-fixture.ts";
import { RECORDS_KIND } from "../records-fixture.ts";
import { Fleet } from "../specification/fleet.ts";

const TO_ALL: NewDeployment = { name: "n", artifactName: "release-1", allDevices: true };

/** The outcome of each device of a preview. */
function outcomes({ groups }: Preview): Map<string, PreviewOutcome> {
  return new Map(groups.flatMap(({ outcome, sample }) => sample.map((id) => [id, outcome] as const)));
}

async function reject(fleet: Fleet, device: string): Promise<void> {
  const { authSets } = await fleet.domain.devices.get(device);
  for (const { id } of authSets) await fleet.domain.devices.setAuthSetStatus(device, id, "rejected");
}

describe("A preview", () => {
  test("groups devices by what they would get, and tells artifact, device type and the older deployment", async () => {
    const fleet = await Fleet.of(7);
    const [gets = "", has = "", other = "", silent = "", busy = "", left = "", small = ""] = fleet.devices;
    await fleet.domain.artifacts.insert(artifact({ id: "b1", deviceTypes: ["beaglebone"], sizeBytes: 5 }));
    for (const id of [gets, busy, left])
      await fleet.tell(id, { device_type: "raspberrypi4", artifact_name: "factory" });
    await fleet.tell(has, { device_type: "raspberrypi4", artifact_name: "release-1" });
    await fleet.tell(other, { device_type: "toaster", artifact_name: "factory" });
    await fleet.tell(small, { device_type: "beaglebone", artifact_name: "factory" });
    const older = await fleet.deploy(2, { devices: [busy] });
    await reject(fleet, left);
    const { targetCount, groups } = await fleet.domain.insight.preview({ ...TO_ALL, name: "" });
    expect(targetCount).toBe(6);
    const told = groups.map(({ artifact: chosen, ...group }) => ({ ...group, id: chosen?.id }));
    expect(told).toHaveLength(7);
    const artifactGroup = { outcome: "artifact", count: 1 };
    expect(told).toEqual(
      expect.arrayContaining([
        { ...artifactGroup, id: "a1", deviceType: "raspberrypi4", sample: [gets] },
        { ...artifactGroup, id: "b1", deviceType: "beaglebone", sample: [small] },
        { outcome: "already-installed", id: "a1", deviceType: "raspberrypi4", count: 1, sample: [has] },
        { outcome: "no-artifact", count: 1, sample: [other] },
        { outcome: "unknown-device-type", count: 1, sample: [silent] },
        { outcome: "older-deployment", deploymentId: older, count: 1, sample: [busy] },
        { outcome: "not-accepted", count: 1, sample: [left] },
      ]),
    );
    expect((await fleet.domain.deployments.list({}, "asc", { page: 1, perPage: 5 })).total).toBe(1);
  });

  test("counts all devices, names ten of each group, and plans the phases as the creation does", async () => {
    const fleet = await Fleet.of(13);
    const phases = [{ batchSize: 30 }, { batchSize: 30, startMs: fleet.system.nowMs }, { startMs: fleet.system.nowMs }];
    const preview = await fleet.domain.insight.preview({ ...TO_ALL, phases });
    expect(preview.groups.map(({ count, sample }) => [count, sample.length])).toEqual([[13, 10]]);
    const created = await fleet.domain.deployments.get(await fleet.domain.deployments.create({ ...TO_ALL, phases }));
    expect(preview.phases.map(({ places }) => places)).toEqual(created.phases.map(({ places }) => places));
  });

  test("ends when its signal does, before it has looked at all devices", async () => {
    const fleet = await Fleet.of(3);
    const client = new AbortController();
    const preview = fleet.domain.insight.preview(TO_ALL, client.signal);
    client.abort(new Error("the client left"));
    await expect(preview).rejects.toThrow("the client left");
  });

  test("of a list tells ids of no device, and of no devices that there are none", async () => {
    const fleet = await Fleet.of(1);
    const listed = { name: "n", artifactName: "release-1", phases: [{}] };
    expect(await fleet.domain.insight.preview({ ...listed, devices: ["nobody"] })).toEqual({
      targetCount: 0,
      groups: [{ outcome: "not-accepted", count: 1, sample: ["nobody"] }],
      phases: [],
    });
    expect(await fleet.domain.insight.preview({ ...listed, group: "empty" })).toMatchObject({ groups: [] });
  });

  test("refuses what the creation refuses", async () => {
    const fleet = await Fleet.of(1);
    const preview = (change: Partial<NewDeployment>) => fleet.domain.insight.preview({ ...TO_ALL, ...change });
    await expect(preview({ artifactName: "nothing" })).rejects.toMatchObject({ code: "no-artifact" });
    await expect(preview({ retries: -1 })).rejects.toMatchObject({ code: "invalid-deployment" });
    await expect(preview({ phases: [{ batchSize: 10 }, { startMs: 0 }] })).rejects.toMatchObject({
      code: "empty-phase",
    });
    await expect(preview({ allDevices: false, filterId: "none" })).rejects.toMatchObject({ code: "filter-not-found" });
  });
});

const DEVICES = 4;
const RUNS = RECORDS_KIND === "memory" ? 20 : 4;

const device = fc.record({
  type: fc.constantFrom("raspberrypi4", "beaglebone", "toaster"),
  runs: fc.constantFrom("factory", "release-1", "release-2"),
  channel: fc.constantFrom("alpha", "beta"),
  grouped: fc.boolean(),
  accepted: fc.boolean(),
  /** The channel that it reports before the deployment is created. */
  later: fc.constantFrom("alpha", "beta"),
});

/** An earlier deployment; `to` are the devices of a list, or those that match a filter. */
const earlier = fc.record({
  release: fc.constantFrom(1, 2, 3),
  to: fc.constantFrom("first two", "last two", "alpha", "beta"),
  maxDevices: fc.constantFrom(undefined, 1),
  /** What its targets do: nothing, poll, or poll and end it. */
  does: fc.constantFrom("nothing", "poll", "end", "aborted"),
});

const scenario = fc.record({
  devices: fc.array(device, { minLength: DEVICES, maxLength: DEVICES }),
  earlier: fc.array(earlier, { maxLength: 3 }),
  target: fc.constantFrom("all", "group", "alpha", "beta"),
  force: fc.boolean(),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

class Trial {
  readonly fleet: Fleet;
  readonly #scenario: Scenario;
  readonly #filters: Readonly<Record<"alpha" | "beta", string>>;

  private constructor(fleet: Fleet, tried: Scenario, filters: Readonly<Record<"alpha" | "beta", string>>) {
    this.fleet = fleet;
    this.#scenario = tried;
    this.#filters = filters;
  }

  static async of(tried: Scenario): Promise<Trial> {
    const fleet = await Fleet.of(DEVICES);
    await fleet.domain.artifacts.insert(artifact({ id: "b1", deviceTypes: ["beaglebone"] }));
    const filters = { alpha: await fleet.channel("alpha"), beta: await fleet.channel("beta") };
    const trial = new Trial(fleet, tried, filters);
    for (const [index, { channel, grouped }] of tried.devices.entries()) {
      await trial.#tell(index, channel);
      if (grouped) await fleet.domain.groups.assign(fleet.at(index), "lab");
    }
    for (const [number, one] of tried.earlier.entries()) await trial.#deployEarlier(number, one);
    for (const [index, { later, accepted }] of tried.devices.entries()) {
      await trial.#tell(index, later);
      if (!accepted) await reject(fleet, fleet.at(index));
    }
    return trial;
  }

  request(): NewDeployment {
    const { target, force } = this.#scenario;
    const to = target === "all" ? { allDevices: true } : target === "group" ? { group: "lab" } : this.#to(target);
    return { name: "previewed", artifactName: "release-1", forceInstallation: force, ...to };
  }

  /** What happens when the device polls. */
  async happens(deployment: string, index: number): Promise<PreviewOutcome> {
    const id = this.fleet.at(index);
    const got = await this.poll(index);
    if (got?.deploymentId === deployment) return "artifact";
    if (this.#scenario.devices[index]?.accepted === false) return "not-accepted";
    if (got !== undefined) return "older-deployment";
    const row = await this.fleet.of(deployment, id);
    if (row?.status === "noartifact") return "no-artifact";
    return row?.status === "already-installed" ? "already-installed" : "older-deployment";
  }

  async poll(index: number) {
    try {
      const { type = "", runs = "" } = this.#scenario.devices[index] ?? {};
      return await this.fleet.domain.deviceSide.next(this.fleet.at(index), { device_type: type, artifact_name: runs });
    } catch {
      return undefined;
    }
  }

  #to(target: "alpha" | "beta"): Partial<NewDeployment> {
    return { filterId: this.#filters[target] };
  }

  #tell(index: number, channel: string): Promise<void> {
    const { type = "", runs = "" } = this.#scenario.devices[index] ?? {};
    return this.fleet.tell(this.fleet.at(index), { device_type: type, artifact_name: runs, channel });
  }

  async #deployEarlier(number: number, { release, to, maxDevices, does }: Scenario["earlier"][number]): Promise<void> {
    const { fleet } = this;
    const listed = to === "first two" ? fleet.devices.slice(0, 2) : fleet.devices.slice(2);
    const isFilter = to === "alpha" || to === "beta";
    const id = await fleet.deploy(release, {
      name: `earlier ${number}`,
      ...(isFilter ? this.#to(to) : { devices: listed }),
      ...(isFilter && maxDevices !== undefined ? { maxDevices } : {}),
    });
    if (does === "aborted") return fleet.domain.deployments.abort(id);
    if (does === "nothing") return;
    for (const [index] of this.#scenario.devices.entries()) {
      const got = await this.poll(index);
      if (got !== undefined && does === "end") await fleet.report(fleet.at(index), got.deploymentId, "success");
    }
  }
}

test("A preview says what happens when the devices poll", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (tried) => {
      const trial = await Trial.of(tried);
      const { fleet } = trial;
      const preview = outcomes(await fleet.domain.insight.preview(trial.request()));
      const targets = [...preview].filter(([, outcome]) => outcome !== "not-accepted").map(([id]) => id);
      if (targets.length === 0 && trial.request().filterId === undefined) {
        await expect(fleet.domain.deployments.create(trial.request())).rejects.toThrow("no target devices");
        return;
      }
      const deployment = await fleet.domain.deployments.create(trial.request());
      if (trial.request().filterId === undefined) {
        expect(await fleet.domain.deployments.targets(deployment)).toEqual(targets.sort());
      }
      const created = await fleet.domain.snapshots.take();
      for (const [index, id] of fleet.devices.entries()) {
        // The poll of one device may take the last place that another was shown.
        await fleet.domain.snapshots.restore(created);
        const expected = preview.get(id);
        if (expected === undefined) expect((await trial.poll(index))?.deploymentId).not.toBe(deployment);
        else expect([index, await trial.happens(deployment, index)]).toEqual([index, expected]);
      }
    }),
    { numRuns: RUNS },
  );
});
