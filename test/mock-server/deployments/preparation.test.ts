import { describe, expect, test } from "vitest";
import { decommissionDevice } from "../../../mock-server/deployments/deployment-end/device-end.ts";
import { Deployments, type NewDeployment, Uptime } from "../../../mock-server/deployments/index.ts";
import type { Storage } from "../../../mock-server/storage/index.ts";
import { PROVIDES } from "../domain-fixture.ts";
import { GROUP, ids, MANY, type Started, start } from "./many-devices.ts";

const LEASE_MS = 30_000;

const [FIRST = "", SECOND = ""] = ids;
const ALL: NewDeployment = { name: "to all", artifactName: "release-1", allDevices: true };
const REQUESTS: readonly (readonly [string, NewDeployment])[] = [
  ["all devices", ALL],
  ["a group", { name: "to a group", artifactName: "release-1", group: GROUP }],
  ["a list", { name: "to a list", artifactName: "release-1", devices: [...ids].reverse() }],
];

const PAGE = { page: 1, perPage: 10 };

async function remains({ storage }: Started): Promise<{ deployments: number; events: number }> {
  await storage.fold();
  return await storage.read(async ({ deployments, preparations, events }) => ({
    deployments: (await deployments.list({}, "asc", PAGE)).total + (await preparations.all()).length,
    events: (await events.after(0, 10_000)).filter(({ kind }) => kind === "deployment").length,
  }));
}

describe.each(REQUESTS)("A deployment to %s", (_, request) => {
  test("is written down in many transactions, and there when all targets are", async () => {
    const one = await start();
    const { deviceSide, system } = one;
    const seen: unknown[] = [];
    const deployments = gated(one, async () => {
      const { total } = await one.deployments.list({}, "asc", PAGE);
      seen.push({ ...(await remains(one)), listed: total, instructions: await deviceSide.next(FIRST, PROVIDES) });
    });
    system.nowMs += 1;
    const id = await deployments.create(request);
    // Before the first transaction, before that which begins, before each batch, and before the end.
    const nothing = { deployments: 0, events: 0, listed: 0, instructions: undefined };
    expect(seen.slice(0, 2)).toEqual([nothing, nothing]);
    expect(seen.length).toBeGreaterThan(5);
    const prepared = { deployments: 1, events: 0, listed: 0, instructions: undefined };
    expect(seen.slice(2)).toEqual(seen.slice(2).map(() => prepared));
    expect(await remains(one)).toEqual({ deployments: 1, events: 1 });
    expect(await deployments.targets(id)).toEqual(ids);
    expect(await deployments.get(id)).toMatchObject({
      status: "pending",
      targetCount: MANY,
      initialDeviceCount: MANY,
      createdMs: system.nowMs,
      allDevices: request.allDevices ?? false,
    });
    expect((await deployments.statistics(id)).pending).toBe(MANY);
    expect(await deviceSide.next(FIRST, PROVIDES)).toMatchObject({ deploymentId: id });
    expect(await remains(one)).toEqual({ deployments: 1, events: 1 });
    await expect(deployments.create(request)).rejects.toMatchObject({
      kind: "conflict",
      code: "deployment-exists",
      details: { id },
    });
    await deployments.abort(id);
    expect(await deployments.create(request)).not.toBe(id);
  });

  test("that fails in the middle leaves nothing", async () => {
    const one = await start();
    one.system.atBatch = (batch) => {
      if (batch === 3) throw new Error("the disk is full");
    };
    await expect(one.deployments.create(request)).rejects.toThrow("the disk is full");
    expect(await remains(one)).toEqual({ deployments: 0, events: 0 });
    expect(await one.deviceSide.next(FIRST, PROVIDES)).toBeUndefined();
    one.system.atBatch = () => undefined;
    expect(await one.deployments.targets(await one.deployments.create(request))).toHaveLength(MANY);
  });
});

test("A deployment whose process dies in the middle is removed by another one", async () => {
  const dead = await start();
  dead.system.atBatch = (batch) => {
    if (batch === 3) void dead.storage.close();
  };
  await expect(dead.deployments.create(ALL)).rejects.toThrow("the records are closed");
  const next = await dead.again();
  expect(await remains(next)).toEqual({ deployments: 1, events: 0 });
  expect(await next.deviceSide.next(FIRST, PROVIDES)).toBeUndefined();
  // It may only stand still, as far as another process can tell.
  expect(await next.deployments.removeAbandoned()).toBe(0);
  await expect(next.deployments.create(ALL)).rejects.toMatchObject({ kind: "conflict" });
  next.system.nowMs += LEASE_MS;
  expect(await next.deployments.removeAbandoned()).toBe(1);
  expect(await remains(next)).toEqual({ deployments: 0, events: 0 });
  expect(await next.deployments.targets(await next.deployments.create(ALL))).toHaveLength(MANY);
});

test("The only process that there is waits for nobody: what was cut short before it began is given up", async () => {
  const dead = await start();
  dead.system.atBatch = (batch) => {
    if (batch === 2) void dead.storage.close();
  };
  await expect(dead.deployments.create(ALL)).rejects.toThrow("the records are closed");
  const next = await dead.again();
  await next.deployments.abandonAll();
  const id = await next.deployments.create(ALL);
  expect(await next.deployments.removeAbandoned()).toBe(1);
  expect(await next.deployments.targets(id)).toHaveLength(MANY);
  expect(await remains(next)).toEqual({ deployments: 1, events: 1 });
});

/** Deployments of a process that stands still before a transaction, while something happens. */
function standingStill(one: Started, before: number, happens: () => Promise<void>): Deployments {
  return gated(one, async (transaction) => {
    if (transaction === before) await happens();
  });
}

/** @param before Called before each transaction of the deployments, with its number from 1. */
function gated({ storage, system }: Started, before: (transaction: number) => Promise<void>): Deployments {
  let transactions = 0;
  const transaction: Storage["transaction"] = async (work) => {
    transactions += 1;
    await before(transactions);
    return await storage.transaction(work);
  };
  const slow = { read: storage.read.bind(storage), transaction } as unknown as Storage;
  return new Deployments(slow, system, new Uptime(system.unwatched));
}

test("The last transaction whose commit is not answered takes no target from the deployment", async () => {
  const one = await start();
  let broken = false;
  const transaction: Storage["transaction"] = async (work) => {
    const result = await one.storage.transaction(work);
    if (broken || (await one.deployments.list({}, "asc", PAGE)).total === 0) return result;
    broken = true;
    throw new Error("the connection broke");
  };
  const lossy = { read: one.storage.read.bind(one.storage), transaction } as unknown as Storage;
  const deployments = new Deployments(lossy, one.system, new Uptime(one.system.unwatched));
  await expect(deployments.create(ALL)).rejects.toThrow("the connection broke");
  expect(await remains(one)).toEqual({ deployments: 1, events: 1 });
  const [created] = (await one.deployments.list({}, "asc", PAGE)).items;
  expect(await one.deployments.targets(created?.id ?? "")).toEqual(ids);
});

test("A process that stood still for too long does not go on with what another has removed", async () => {
  const one = await start();
  const other = await one.again();
  const removed: number[] = [];
  const deployments = standingStill(one, 4, async () => {
    removed.push(await other.deployments.removeAbandoned());
    other.system.nowMs += LEASE_MS;
    removed.push(await other.deployments.removeAbandoned());
  });
  await expect(deployments.create(ALL)).rejects.toThrow("was given up");
  expect(removed).toEqual([0, 1]);
  expect(await remains(one)).toEqual({ deployments: 0, events: 0 });
});

test("A wall clock that jumps ahead, here or on another server, ends no preparation that makes progress", async () => {
  const one = await start();
  const other = await one.again();
  const removed: number[] = [];
  const deployments = standingStill(one, 4, async () => {
    one.system.jump(2 * LEASE_MS);
    removed.push(await deployments.removeAbandoned());
    other.system.jump(3 * LEASE_MS);
    removed.push(await other.deployments.removeAbandoned());
  });
  expect(await deployments.targets(await deployments.create(ALL))).toHaveLength(MANY);
  expect(removed).toEqual([0, 0]);
});

test("Batches that keep others waiting for long become smaller, down to a bound", async () => {
  const one = await start();
  one.system.batchMs = 10;
  await one.deployments.create(ALL);
  // 500, 250, 125, 62, and then 50 each.
  expect(one.system.batches).toBe(4 + Math.ceil((MANY - 937) / 50));
});

test("What is created meanwhile is older, and who is decommissioned meanwhile is no target", async () => {
  const { deployments, deviceSide, storage, system } = await start();
  const meanwhile: Promise<unknown>[] = [];
  system.atBatch = (batch) => {
    if (batch !== 3) return;
    meanwhile.push(
      deployments.create({ name: "small", artifactName: "release-1", devices: [FIRST] }),
      storage.transaction(async (records) => {
        await decommissionDevice(records, SECOND, system.nowMs);
        await records.devices.delete(SECOND);
      }),
    );
  };
  const large = await deployments.create({ ...ALL, phases: [{ batchSize: 50 }, { startMs: 1 }] });
  const [small] = await Promise.all(meanwhile);
  const { items } = await deployments.list({}, "asc", PAGE);
  expect(items.map(({ id }) => id)).toEqual([small, large]);
  expect(await deployments.targets(large)).toEqual(ids.filter((id) => id !== SECOND));
  const { targetCount, phases } = await deployments.get(large);
  expect([targetCount, ...phases.map(({ places }) => places)]).toEqual([MANY - 1, 849, 850]);
  expect(await deviceSide.next(FIRST, PROVIDES)).toMatchObject({ deploymentId: small });
  await deviceSide.report(FIRST, String(small), "success");
  expect(await deviceSide.next(FIRST, PROVIDES)).toMatchObject({ deploymentId: large });
  const after = await deployments.create({ name: "after", artifactName: "release-1", devices: [FIRST] });
  expect((await deployments.list({}, "desc", PAGE)).items[0]?.id).toBe(after);
});

test("Ids of no accepted devices are refused by name, among however many", async () => {
  const { deployments } = await start();
  const request = { ...ALL, allDevices: false, devices: [...ids, "nobody", "no-one"] };
  await expect(deployments.create(request)).rejects.toMatchObject({
    kind: "invalid",
    details: { ids: ["no-one", "nobody"] },
  });
});

test("Phases that are wrong are refused before anything is written, and those that are too small for the fleet after", async () => {
  const one = await start();
  const phases = (batchSize: number) => [{ batchSize }, { startMs: 1, batchSize: 90 }, { startMs: 2 }];
  await expect(one.deployments.create({ ...ALL, phases: phases(20) })).rejects.toMatchObject({ kind: "invalid" });
  expect(one.system.batches).toBe(0);
  await expect(one.deployments.create({ ...ALL, phases: [{ batchSize: 100 }, { startMs: 1 }] })).rejects.toMatchObject({
    kind: "invalid",
  });
  expect(await remains(one)).toEqual({ deployments: 0, events: 0 });
});
