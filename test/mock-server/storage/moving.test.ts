import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { copyAllRecords, Storage, type StorageLocation } from "../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../domain-fixture.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { makeSchema } from "../records-fixture.ts";

let folder: string;
let opened: Storage[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-moving-"));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((storage) => storage.close()));
  rmSync(folder, { recursive: true });
});

async function open(location: StorageLocation): Promise<Storage> {
  const storage = await Storage.open(location, new NodeFiles());
  opened.push(storage);
  return storage;
}

const directory = (): StorageLocation => ({ directory: mkdtempSync(join(folder, "records-")) });

/** More rows than are read at once, deleted rows, and most of the tables. */
async function fill(location: StorageLocation): Promise<void> {
  const { domain } = await openTestDomain({ autoAccept: true }, location);
  await domain.users.ensureAdministrator("admin@example.com", "a long password");
  await domain.users.login("admin@example.com", "a long password");
  const devices = await acceptedDevices(domain, 30);
  const [first = "", second = "", third = ""] = devices;
  const attributes = Array.from({ length: 60 }, (_, number) => ({
    name: `attribute-${number}`,
    value: `ä😀${number}`,
  }));
  for (const device of devices) await domain.inventory.replace(device, attributes);
  await domain.groups.assign(first, "group");
  await domain.artifacts.insert(artifact({ id: "00000000-0000-4000-8000-000000000001" }));
  await domain.deployments.create({ name: "a", artifactName: "release-1", allDevices: true });
  await domain.deviceSide.next(first, PROVIDES);
  const next = await domain.deviceSide.next(second, PROVIDES);
  await domain.deviceSide.report(second, next?.deploymentId ?? "", "failure");
  await domain.devices.decommission(third);
  await domain.close();
}

async function summaries(storage: Storage): Promise<unknown> {
  return await storage.read(async ({ moving }) => {
    const all: unknown[] = [];
    for (const table of ["devices", "inventory_attributes", "events", "device_counts", "device_deployments"] as const) {
      all.push(await moving.summary(table));
    }
    return all;
  });
}

test("a target that is not empty is refused, and stays as it is", async () => {
  const [from, to] = [directory(), directory()];
  await fill(from);
  await fill(to);
  const target = await open(to);
  const before = await summaries(target);
  await expect(copyAllRecords(await open(from), target)).rejects.toThrow("the target is not empty");
  expect(await summaries(target)).toEqual(before);
});

describePostgres("Records that go from one engine to the other", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("are the same there, and back again, and go on from there", async () => {
    const [file, database, back] = [directory(), { url: (await makeSchema(postgres.url)).url }, directory()];
    await fill(file);
    const moved = await copyAllRecords(await open(file), await open(database));
    expect(moved.find(({ table }) => table === "inventory_attributes")?.rows).toBeGreaterThan(1700);
    for (const table of ["devices", "events", "device_counts", "secrets", "users", "sessions", "deployments"]) {
      expect(moved.find((one) => one.table === table)?.rows, table).toBeGreaterThan(0);
    }
    expect(await copyAllRecords(await open(database), await open(back))).toEqual(moved);
    for (const location of [database, back]) {
      const { domain } = await openTestDomain({ autoAccept: true }, location);
      const before = await domain.events.last();
      await domain.users.login("admin@example.com", "a long password");
      await domain.users.accounts.create({ email: "other@example.com", password: "correct horse" });
      expect(await domain.events.last()).toBe(before + 1);
      expect(await domain.devices.count()).toBe(29);
      await domain.close();
    }
  });

  test("are not moved at all if one of them cannot be kept: the table is named", async () => {
    const file = directory();
    await fill(file);
    const source = await open(file);
    // Too long for a key in PostgreSQL.
    const owner = randomBytes(8192).toString("hex");
    await source.transaction(({ settings }) => settings.put({ owner, value_json: "{}", etag: "1" }));
    const target = await open({ url: (await makeSchema(postgres.url)).url });
    await expect(copyAllRecords(source, target)).rejects.toThrow(/^table settings: /);
    expect(await target.read(({ moving }) => moving.isEmpty())).toBe(true);
    expect(await target.read(({ moving }) => moving.summary("events"))).toMatchObject({ rows: 0 });
  });
});
