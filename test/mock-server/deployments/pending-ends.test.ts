import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abortDevice, decommissionDevice } from "../../../mock-server/deployments/deployment-end/device-end.ts";
import { progressOf } from "../../../mock-server/deployments/progress.ts";
import { addTarget } from "../../../mock-server/deployments/selection/membership.ts";
import { SILENT_BATCH } from "../../../mock-server/deployments/silence/silence.ts";
import { startProgram } from "../../support/program.ts";
import { PROVIDES } from "../domain-fixture.ts";
import { buildProgram } from "../storage/reporting.ts";
import { ids, MANY, type Started, start } from "./many-devices.ts";

const [FIRST = "", SECOND = "", THIRD = "", FOURTH = "", FIFTH = ""] = ids;
const BEGUN = [FIRST, SECOND, THIRD, FOURTH, FIFTH];

let folder: string;
let ender: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-server-"));
  ender = await buildProgram(join(import.meta.dirname, "ender.ts"), folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** How many there are of each status, as the counters have it and as the rows have it. */
async function counts({ storage, deployments }: Started, id: string) {
  const { targetCount, statistics, status } = await deployments.get(id);
  const rows: Record<string, number> = {};
  await storage.read(async ({ deviceDeployments }) => {
    for (const device of ids) {
      const row = await deviceDeployments.find(id, device);
      if (row !== undefined) rows[row.status] = (rows[row.status] ?? 0) + 1;
    }
  });
  const counted = Object.fromEntries(Object.entries(statistics).filter(([, count]) => count > 0));
  return { status, targetCount, counted, rows };
}

const sum = (statistics: Readonly<Record<string, number>>) =>
  Object.values(statistics).reduce((total, count) => total + count, 0);

/** All devices, some of which are in the middle of it. */
async function rolledOut(started: Started): Promise<string> {
  const id = await started.deployments.create({ name: "to all", artifactName: "release-1", allDevices: true });
  for (const device of BEGUN) expect(await started.deviceSide.next(device, PROVIDES)).toBeDefined();
  await started.deviceSide.report(SECOND, id, "installing");
  await started.deviceSide.report(THIRD, id, "success");
  started.system.batches = 0;
  return id;
}

/** Open to all devices; some are in the middle of it, and all others wait for their phase. */
async function opened(started: Started): Promise<string> {
  const { storage, system, deployments, deviceSide } = started;
  const filterId = "00000000-0000-4000-8000-00000000000f";
  await storage.transaction(({ savedFilters }) =>
    savedFilters.insert({ id: filterId, name: "all", terms_json: "[]", created_ms: 1 }),
  );
  const phases = [{ batchSize: 1 }, { startMs: system.nowMs + 1_000_000 }];
  const id = await deployments.create({ name: "open", artifactName: "release-1", filterId, phases });
  for (const device of BEGUN) expect(await deviceSide.next(device, PROVIDES)).toBeDefined();
  await storage.transaction(async (records) => {
    const deployment = await records.deployments.find(id);
    if (deployment === undefined) throw new Error("there is no deployment");
    for (const device of ids.slice(BEGUN.length)) await addTarget(records, deployment, device);
  });
  system.batches = 0;
  return id;
}

const ABORTED = { status: "finished", targetCount: MANY, counted: { aborted: MANY - 1, success: 1 } };

describe("An abort of a deployment to many devices", () => {
  test("is decided at once, and written down for each device in many transactions", async () => {
    const one = await start();
    const id = await rolledOut(one);
    const { deployments, deviceSide, system } = one;
    const seen: Promise<unknown>[] = [];
    const last = ids.at(-1) ?? "";
    system.atBatch = (batch) => {
      if (batch !== 2) return;
      seen.push(
        deployments.get(id).then((now) => expect(now).toMatchObject({ status: "finished", targetCount: MANY })),
        deployments.statistics(id).then((now) => expect(now).toMatchObject({ aborted: MANY - 1, success: 1 })),
        Promise.resolve(deviceSide.next(last, PROVIDES)).then((now) => expect(now?.deploymentId).not.toBe(id)),
        expect(deviceSide.report(SECOND, id, "success")).rejects.toMatchObject({ kind: "conflict" }),
        expect(deviceSide.controlMap(FIRST, id)).rejects.toMatchObject({ kind: "conflict" }),
        deployments.create({ name: "next", artifactName: "release-1", devices: [last] }),
      );
    };
    await deployments.abort(id);
    await Promise.all(seen);
    expect(seen).toHaveLength(6);
    expect(system.batches).toBeGreaterThan(3);
    expect(await counts(one, id)).toEqual({ ...ABORTED, rows: ABORTED.counted });
    const { points } = await progressOf(one.storage, id, {}, system.nowMs);
    expect(points.at(-1)?.counts).toEqual(ABORTED.counted);
    const { items, total } = await deployments.devices(id, undefined, { page: 1, perPage: 1 });
    expect([total, items[0]?.status]).toEqual([MANY, "aborted"]);
    await expect(deployments.abort(id)).rejects.toMatchObject({ kind: "unprocessable" });
    expect(await one.storage.read((records) => records.deployments.withPendingEnd())).toEqual([]);
  });

  test("holds when the server is killed in the middle, and the next one goes on", async () => {
    const dead = await start();
    const id = await rolledOut(dead);
    await dead.storage.close();
    const program = startProgram(process.execPath, [ender, JSON.stringify(dead.location), "abort", id, "2"]);
    expect(await program.ended, program.output()).toBe("SIGKILL");
    const next = await dead.again();
    const { deployments, deviceSide, storage, system } = next;
    const left = await counts(next, id);
    expect(left).toMatchObject(ABORTED);
    expect(left.rows.aborted).toBe(500);
    expect(left.rows.pending).toBeGreaterThan(500);
    // Downloading and installing come after pending: these are not written yet. The report of SECOND, which was installing, writes its own.
    await expect(deviceSide.report(SECOND, id, "success")).rejects.toMatchObject({ code: "deployment-aborted" });
    await expect(deviceSide.controlMap(FIRST, id)).rejects.toMatchObject({ kind: "conflict" });
    const [one = "", two = "", three = ""] = ids.slice(-3);
    expect(await deviceSide.next(one, PROVIDES)).toBeUndefined();
    await storage.transaction((records) => decommissionDevice(records, two, system.nowMs));
    await storage.transaction((records) => abortDevice(records, three, system.nowMs));
    expect(await counts(next, id)).toMatchObject({
      ...ABORTED,
      rows: { aborted: (left.rows.aborted ?? 0) + 4, pending: (left.rows.pending ?? 0) - 3 },
    });
    await deployments.removeAbandoned();
    expect(await counts(next, id)).toEqual({ ...ABORTED, rows: ABORTED.counted });
    expect(await storage.read((records) => records.deployments.withPendingEnd())).toEqual([]);
  });

  test("holds for those as well who are just being found silent", async () => {
    const one = await start();
    const rollout = { artifactName: "release-1", allDevices: true, silentAfterMs: 300_000 };
    const id = await one.deployments.create({ name: "silent", ...rollout });
    for (const device of ids.slice(0, SILENT_BATCH + 50)) await one.deviceSide.next(device, PROVIDES);
    one.system.nowMs += 300_000;
    const looking = one.deployments.failSilent();
    await one.deployments.abort(id);
    const failure = await looking;
    const counted = { ...(failure === 0 ? {} : { failure }), aborted: MANY - failure };
    expect(await counts(one, id)).toEqual({ status: "finished", targetCount: MANY, counted, rows: counted });
  });

  test("of which few are open is one transaction", async () => {
    const one = await start();
    const id = await one.deployments.create({ name: "few", artifactName: "release-1", devices: ids.slice(0, 1000) });
    await one.deployments.abort(id);
    expect(one.system.batches).toBe(0);
    expect(await counts(one, id)).toMatchObject({ counted: { aborted: 1000 }, rows: { aborted: 1000 } });
  });
});

const DISMISSED = { status: "finished", targetCount: BEGUN.length, counted: { pending: BEGUN.length } };

describe("A deployment that many devices wait for without being admitted", () => {
  test("leaves them at once when it is finished, and its statistics always sum to its devices", async () => {
    const one = await start();
    const id = await opened(one);
    const { deployments, deviceSide, system } = one;
    expect(await counts(one, id)).toMatchObject({ status: "pending", targetCount: MANY });
    const seen: Promise<unknown>[] = [];
    system.nowMs += 2_000_000;
    system.atBatch = () => {
      seen.push(
        deployments.get(id).then(({ targetCount, statistics }) => expect(sum(statistics)).toBe(targetCount)),
        Promise.resolve(deviceSide.next(ids.at(-1) ?? "", PROVIDES)).then((now) => expect(now).toBeUndefined()),
      );
    };
    await deployments.finish(id);
    await Promise.all(seen);
    expect(seen.length).toBeGreaterThan(5);
    expect(await counts(one, id)).toEqual({ ...DISMISSED, rows: DISMISSED.counted });
    await deviceSide.report(FIRST, id, "success");
    expect(await deployments.get(id)).toMatchObject({ targetCount: BEGUN.length, deviceCount: BEGUN.length });
  });

  test("leaves them also when the server is killed in the middle", async () => {
    const dead = await start();
    const id = await opened(dead);
    await dead.storage.close();
    const program = startProgram(process.execPath, [ender, JSON.stringify(dead.location), "finish", id, "2"]);
    expect(await program.ended, program.output()).toBe("SIGKILL");
    const next = await dead.again();
    next.system.nowMs += 2_000_000;
    const left = await counts(next, id);
    expect(left.status).toBe("finished");
    expect(left.targetCount).toBeGreaterThan(1000);
    expect(left.counted).toEqual(left.rows);
    expect(await next.deviceSide.next(ids.at(-1) ?? "", PROVIDES)).toBeUndefined();
    expect((await next.deployments.get(id)).targetCount).toBe(left.targetCount - 1);
    await next.deployments.removeAbandoned();
    expect(await counts(next, id)).toEqual({ ...DISMISSED, rows: DISMISSED.counted });
  });
});
