import { randomInt } from "node:crypto";
import type { ReportedStatus } from "@upkeep/shared/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

const DEVICES = 40;
const DAY_MS = 86_400_000;
/** `UPKEEP_TEST_SEED=N` repeats a run, as far as the database lets it. */
const SEEDS = process.env.UPKEEP_TEST_SEED
  ? [Number(process.env.UPKEEP_TEST_SEED)]
  : Array.from({ length: 3 }, () => randomInt(1_000_000));

/** Numbers from a seed. */
function chanceOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
}

const WAY: readonly ReportedStatus[] = ["downloading", "installing", "rebooting"];

describePostgres("Devices that ask two servers at the same time", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  let schema: Awaited<ReturnType<typeof makeSchema>>;
  let servers: readonly [TestDomain, TestDomain];
  let devices: string[];
  beforeEach(async () => {
    schema = await makeSchema(postgres.url);
    const open = () => openTestDomain({ autoAccept: true }, schema);
    servers = await Promise.all([open(), open()]);
    const [one, two] = servers;
    for (let drawn = 0; drawn < 10_000; drawn += 1) two.system.random.uuid();
    devices = await acceptedDevices(one.domain, DEVICES);
    for (const name of ["release-1", "release-2"]) await one.domain.artifacts.insert(artifact({ id: name, name }));
  });
  afterEach(async () => {
    await Promise.all(servers.map(({ domain }) => domain.close()));
    await schema.remove();
  });

  /** Runs the work of each device at once, each call on a server by chance; reads statistics meanwhile. */
  async function run(
    seed: number,
    ids: readonly string[],
    each: (device: string, server: () => TestDomain["domain"], chance: (below: number) => number) => Promise<void>,
  ): Promise<void> {
    let running = true;
    const chance = chanceOf(seed);
    const watching = (async () => {
      while (running) for (const id of ids) await mustAddUp(servers[chance(2) as 0 | 1].domain, id);
    })();
    try {
      await Promise.all(
        devices.map((device, index) => {
          const own = chanceOf(seed + index * 7919);
          return each(device, () => servers[own(2) as 0 | 1].domain, own);
        }),
      );
    } finally {
      running = false;
      await watching;
    }
  }

  async function mustAddUp(domain: TestDomain["domain"], id: string): Promise<void> {
    const { statistics, targetCount, phases = [] } = await domain.deployments.get(id);
    const counts = Object.values(statistics);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(targetCount);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
    for (const phase of phases) expect(phase.deviceCount).toBeLessThanOrEqual(DEVICES);
  }

  /** What the statistics say, from the device deployments themselves. */
  async function mustAgree(id: string): Promise<void> {
    for (const { domain } of servers) {
      const { items } = await domain.deployments.devices(id, undefined);
      const { statistics, deviceCount } = await domain.deployments.get(id);
      for (const [status, count] of Object.entries(statistics)) {
        if (status === "pending") continue;
        expect(items.filter((item) => item.status === status).length, status).toBe(count);
      }
      expect(items.filter((item) => item.createdMs !== undefined)).toHaveLength(deviceCount);
    }
  }

  for (const seed of SEEDS) {
    test(`take no more places of a phase than there are, and all of those (seed ${seed})`, async () => {
      const [{ domain }] = servers;
      const percent = 10 + (seed % 60);
      const id = await domain.deployments.create({
        name: "phased",
        artifactName: "release-1",
        devices,
        phases: [{ batchSize: percent }, { startMs: servers[0].system.nowMs + DAY_MS }],
      });
      const places = Math.floor((percent * DEVICES) / 100);
      const handed = new Set<string>();
      await run(seed, [id], async (device, server) => {
        const answers = await Promise.all([server(), server()].map((one) => one.deviceSide.next(device, PROVIDES)));
        if (answers.some((answer) => answer !== undefined)) handed.add(device);
      });
      expect(handed.size).toBe(places);
      expect((await domain.deployments.get(id)).phases?.map(({ deviceCount }) => deviceCount)).toEqual([places, 0]);
      for (const { system } of servers) system.nowMs += DAY_MS;
      await run(seed, [id], async (device, server) => {
        if ((await server().deviceSide.next(device, PROVIDES)) !== undefined) handed.add(device);
      });
      expect(handed.size).toBe(DEVICES);
      await mustAgree(id);
    });

    test(`are at most as many as a deployment to a filter may have (seed ${seed})`, async () => {
      const [{ domain }] = servers;
      const maxDevices = 1 + (seed % (DEVICES - 1));
      const filterId = await domain.filters.create("all", [
        { scope: "identity", attribute: "status", type: "$eq", value: "accepted" },
      ]);
      const id = await domain.deployments.create({ name: "n", artifactName: "release-1", filterId, maxDevices });
      const handed = new Set<string>();
      await run(seed, [id], async (device, server) => {
        const answer = await server().deviceSide.next(device, PROVIDES);
        if (answer === undefined) return;
        handed.add(device);
        for (const status of WAY) await server().deviceSide.report(device, id, status);
        await server().deviceSide.report(device, id, "success");
      });
      expect(handed.size).toBe(maxDevices);
      expect(await servers[1].domain.deployments.get(id)).toMatchObject({
        status: "finished",
        statistics: { success: maxDevices, pending: 0 },
      });
      await mustAgree(id);
    });

    test(`end once, in the order of the deployments (seed ${seed})`, async () => {
      const [{ domain }] = servers;
      const first = await domain.deployments.create({ name: "1", artifactName: "release-1", devices });
      const second = await domain.deployments.create({ name: "2", artifactName: "release-2", devices });
      const order = new Map<string, string[]>();
      await run(seed, [first, second], async (device, server, chance) => {
        for (const id of [first, second]) {
          const polls = await Promise.all([server(), server()].map((one) => one.deviceSide.next(device, PROVIDES)));
          order.set(device, [...(order.get(device) ?? []), ...polls.map((poll) => poll?.deploymentId ?? "none")]);
          for (const status of WAY.slice(chance(3))) await server().deviceSide.report(device, id, status);
          const ends = await Promise.allSettled(
            (["success", "failure"] as const).map((end) => server().deviceSide.report(device, id, end)),
          );
          expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
        }
      });
      for (const device of devices) expect(order.get(device)).toEqual([first, first, second, second]);
      for (const id of [first, second]) {
        const { status, statistics, totalSizeBytes } = await servers[1].domain.deployments.get(id);
        expect(status).toBe("finished");
        expect(statistics.success + statistics.failure).toBe(DEVICES);
        expect(totalSizeBytes).toBe(DEVICES * 1000);
        await mustAgree(id);
      }
    });

    test(`pause the deployment with the failure that reaches the threshold (seed ${seed})`, async () => {
      const [{ domain }] = servers;
      const errorThreshold = 5 + (seed % 90);
      const id = await domain.deployments.create({
        name: "n",
        artifactName: "release-1",
        devices,
        phases: [{ batchSize: 50, errorThreshold }, { startMs: servers[0].system.nowMs + DAY_MS }],
      });
      const places = DEVICES / 2;
      const begun: string[] = [];
      await run(seed, [id], async (device, server) => {
        if ((await server().deviceSide.next(device, PROVIDES)) !== undefined) begun.push(device);
      });
      expect(begun).toHaveLength(places);
      const enough = Math.ceil((errorThreshold * places) / 100);
      const fail = (ids: readonly string[]) =>
        Promise.all(ids.map((device, n) => servers[(n % 2) as 0 | 1].domain.deviceSide.report(device, id, "failure")));
      await fail(begun.slice(0, enough - 1));
      expect((await domain.deployments.get(id)).paused).toBeUndefined();
      await fail(begun.slice(enough - 1));
      expect((await domain.deployments.get(id)).paused?.reason).toContain("the error threshold is");
      for (const { system } of servers) system.nowMs += DAY_MS;
      await run(seed, [id], async (device, server) => {
        expect(await server().deviceSide.next(device, PROVIDES)).toBeUndefined();
      });
      await mustAgree(id);
    });
  }

  test("pause it also if all failures come at once: none counts itself alone", async () => {
    const [one] = servers;
    for (let round = 0; round < 5; round += 1) {
      const id = await one.domain.deployments.create({
        name: `round ${round}`,
        artifactName: "release-1",
        devices,
        forceInstallation: true,
        phases: [{ batchSize: 50, errorThreshold: 100 }, { startMs: one.system.nowMs + DAY_MS }],
      });
      const begun = devices.slice(0, DEVICES / 2);
      for (const device of begun) expect((await one.domain.deviceSide.next(device, PROVIDES))?.deploymentId).toBe(id);
      await Promise.all(
        begun.map((device, n) => servers[(n % 2) as 0 | 1].domain.deviceSide.report(device, id, "failure")),
      );
      expect((await one.domain.deployments.get(id)).paused?.reason).toContain("20 of 20");
      await one.domain.deployments.abort(id);
    }
  });

  test("lose nothing that was answered when the database is killed, and count nothing twice", async () => {
    const [{ domain }] = servers;
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    let reports = 0;
    let reached: () => void = () => undefined;
    const halfWay = new Promise<void>((resolve) => {
      reached = resolve;
    });
    let back: Promise<void> = Promise.resolve();
    /** As a device does: the same again when there was no answer. */
    const until = async <T>(work: (server: TestDomain["domain"]) => Promise<T>): Promise<T> => {
      for (let tries = 0; ; tries += 1) {
        try {
          return await work(servers[(tries % 2) as 0 | 1].domain);
        } catch (error) {
          if (tries > 100) throw error;
          await back;
        }
      }
    };
    const fleet = devices.map(async (device) => {
      expect((await until(({ deviceSide }) => deviceSide.next(device, PROVIDES)))?.deploymentId).toBe(id);
      for (const status of [...WAY, "success"] as const) {
        await until(({ deviceSide }) => deviceSide.report(device, id, status));
        reports += 1;
        if (reports === DEVICES * 2) reached();
      }
    });
    await halfWay;
    back = postgres.crash();
    await back;
    await Promise.all(fleet);
    await until((server) => server.deployments.removeAbandoned());
    expect(await domain.deployments.get(id)).toMatchObject({
      status: "finished",
      deviceCount: DEVICES,
      totalSizeBytes: DEVICES * 1000,
      statistics: { success: DEVICES, pending: 0, rebooting: 0, installing: 0, downloading: 0, failure: 0 },
    });
    await mustAgree(id);
  });
});
