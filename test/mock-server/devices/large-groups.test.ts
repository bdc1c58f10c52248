import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Groups } from "../../../mock-server/devices/index.ts";
import { startProgram } from "../../support/program.ts";
import { GROUP, ids, MANY, type Started, start } from "../deployments/many-devices.ts";
import { buildProgram } from "../storage/reporting.ts";

const PAGE = { page: 1, perPage: 10 };
const [FIRST = ""] = ids;
const LAST = ids.at(-1) ?? "";
const REQUEST = { name: "to a group", artifactName: "release-1", group: GROUP };

/** What is to be seen of a group that has ended, while its members leave it. */
async function expectEnded({ deployments }: Started, groups: Groups): Promise<void> {
  expect(await groups.names()).toEqual([]);
  await expect(groups.members(GROUP, PAGE)).rejects.toMatchObject({ kind: "not-found" });
  expect(await groups.ofDevice(LAST)).toBeUndefined();
  await expect(groups.assign(FIRST, GROUP)).rejects.toMatchObject({ kind: "conflict" });
  await expect(groups.assignAll([FIRST], GROUP)).rejects.toMatchObject({ kind: "conflict" });
  await expect(groups.delete(GROUP)).rejects.toMatchObject({ kind: "not-found" });
  await expect(deployments.create(REQUEST)).rejects.toMatchObject({ kind: "invalid" });
}

test("A large group ends at once, and its members leave it in many transactions", async () => {
  const one = await start();
  const groups = new Groups(one.storage, one.system.clock);
  const seen: Promise<void>[] = [];
  one.system.atBatch = (batch) => {
    if (batch === 2) seen.push(expectEnded(one, groups));
  };
  // The others come between two batches.
  one.system.batchMs = 10;
  expect(await groups.delete(GROUP)).toEqual({ matched: MANY, updated: MANY });
  await Promise.all(seen);
  expect(seen).toHaveLength(1);
  await expect(groups.delete(GROUP)).rejects.toMatchObject({ kind: "not-found" });
  expect(await groups.assignAll([FIRST, LAST], GROUP)).toEqual({ matched: 2, updated: 2 });
  expect((await groups.members(GROUP, PAGE)).items).toEqual([FIRST, LAST]);
});

test("A large group whose server is killed while it ends has ended, and the next server goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-server-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const ender = await buildProgram(join(import.meta.dirname, "../deployments/ender.ts"), folder);
  const dead = await start();
  await dead.storage.close();
  const program = startProgram(process.execPath, [ender, JSON.stringify(dead.location), "group", GROUP, "2"]);
  expect(await program.ended, program.output()).toBe("SIGKILL");
  const next = await dead.again();
  const groups = new Groups(next.storage, next.system.clock);
  const members = () => next.storage.read(async ({ devices }) => (await devices.page({ group: GROUP }, PAGE)).total);
  expect(await members()).toBe(MANY - 500);
  await expectEnded(next, groups);
  await next.deployments.removeAbandoned();
  expect(await members()).toBe(0);
  await groups.assign(FIRST, GROUP);
  expect(await groups.names()).toEqual([GROUP]);
});

test("Many devices are put into a group in many transactions, each counted once", async () => {
  const one = await start();
  const groups = new Groups(one.storage, one.system.clock);
  await groups.assign(FIRST, "other");
  expect(await groups.assignAll([...ids, ...ids, "nobody"], "other")).toEqual({ matched: MANY, updated: MANY - 1 });
  expect(await groups.removeAll([...ids, "nobody"], "other")).toEqual({ matched: MANY, updated: MANY });
  expect(await groups.names()).toEqual([]);
});

test("Groups are listed by name, however many members they have, and by the status of any member", async () => {
  const one = await start();
  const groups = new Groups(one.storage, one.system.clock);
  await groups.assignAll(ids.slice(0, 3), "a");
  await groups.assignAll(ids.slice(3, 5), "z");
  await one.storage.transaction(async ({ devices }) => {
    for (const id of ids.slice(3, 6)) await devices.setStanding(id, { status: "rejected", tier: "standard" }, 1);
  });
  expect(await groups.names()).toEqual(["a", GROUP, "z"]);
  expect(await groups.names("accepted")).toEqual(["a", GROUP]);
  expect(await groups.names("rejected")).toEqual([GROUP, "z"]);
  expect(await groups.names("pending")).toEqual([]);
});
