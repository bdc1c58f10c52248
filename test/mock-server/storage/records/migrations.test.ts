import { type Kysely, sql } from "kysely";
import { describe, expect, inject, test } from "vitest";
import { scalarKey } from "../../../../mock-server/storage/attribute-keys.ts";
import { Storage, type StorageLocation } from "../../../../mock-server/storage/index.ts";
import { migrations } from "../../../../mock-server/storage/migrations/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { makeRecords, RECORDS_KIND, type TestRecords } from "../../records-fixture.ts";
import { leaveRecords, openEngine } from "./older-records.ts";

const files = new NodeFiles();
const versions = Object.keys(await migrations.getMigrations());

/** Every column of every table, with its type. */
async function columnsOf(location: StorageLocation): Promise<unknown> {
  const engine = await openEngine(location);
  const read = (db: Kysely<never>) =>
    "url" in location
      ? sql`select table_name as name, column_name as column, data_type as type, is_nullable as nullable
          from information_schema.columns where table_schema = current_schema() order by 1, 2`.execute(db)
      : sql`select m.name as name, c.name as column, c.type as type, c."notnull" as nullable
          from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' order by 1, 2`.execute(db);
  const { rows } = await engine.read((db) => read(db as unknown as Kysely<never>));
  await engine.close();
  return rows;
}

/** The texts by which devices are found, by the ids of the devices. */
async function textsIn(location: StorageLocation): Promise<readonly string[]> {
  const engine = await openEngine(location);
  const rows = await engine.read((db) => db.selectFrom("device_texts").select("text").orderBy("device_id").execute());
  await engine.close();
  return rows.map(({ text }) => text);
}

// Records in memory are gone with the server: there are no older ones.
describe.skipIf(RECORDS_KIND === "memory")("Tables of an older server", () => {
  async function withRecords(work: (records: TestRecords) => Promise<void>): Promise<void> {
    const records = await makeRecords(RECORDS_KIND, inject("postgresUrl"));
    try {
      await work(records);
    } finally {
      await records.remove();
    }
  }

  test.each(versions)("of version %s become those of this server, and keep what they had", async (version) => {
    await withRecords(async ({ location }) => {
      await leaveRecords(location, version);
      const storage = await Storage.open(location, files);
      await storage.read(async ({ devices, artifacts, deployments, deviceDeployments, counters }) => {
        expect(await devices.find("d1")).toMatchObject({ status: "accepted", created_ms: 1, updated_ms: 2 });
        expect(await devices.count("accepted")).toBe(1);
        expect(await artifacts.find("a1")).toMatchObject({ sizeBytes: 5_000_000_000, deviceTypes: ["board"] });
        expect(await deployments.find("p1")).toMatchObject({ status: "inprogress", total_size_bytes: 5_000_000_000 });
        expect(await deviceDeployments.find("p1", "d1")).toMatchObject({ status: "installing", artifact_id: "a1" });
        expect(await deviceDeployments.oldestOpen("d1", 0)).toMatchObject({ deployment_id: "p1" });
        expect((await counters.of("p1")).installing).toBe(1);
      });
      await storage.close();

      await withRecords(async (fresh) => {
        await (await Storage.open(fresh.location, files)).close();
        expect(await columnsOf(location)).toEqual(await columnsOf(fresh.location));
      });
    });
  });

  test.each([
    ["limits silence, and has its instructions", 60_000, 1, ["d1"]],
    ["limits silence, and waits", 60_000, 0, []],
    ["does not limit silence", null, 1, []],
  ])("know who was never heard of in a deployment that %s", async (_, silentAfterMs, admitted, silent) => {
    await withRecords(async ({ location }) => {
      const limit = sql`update deployments set silent_after_ms = ${silentAfterMs}`;
      await leaveRecords(location, "0009-groups", limit, sql`update device_deployments set admitted = ${admitted}`);
      const storage = await Storage.open(location, files);
      const rows = await storage.read(({ silence }) => silence.silentSince("p1", 100, 10));
      expect(rows.map((row) => row.device_id)).toEqual(silent);
      await storage.close();
    });
  });

  test("know how many places of a phased deployment are taken", async () => {
    await withRecords(async ({ location }) => {
      await leaveRecords(
        location,
        "0020-contacts",
        sql`update deployments set admitted_count = 3, max_devices = 10`,
        sql`insert into deployment_phases (deployment_id, number, id, batch_percent, places, device_count, succeeded,
          failed, excluded, tolerated) values ('p1', 0, 'f1', 100, 10, 2, 0, 0, 0, 0)`,
      );
      const storage = await Storage.open(location, files);
      await storage.transaction(async ({ places }) => {
        expect(await places.take("p1", true, { inPhases: 2 })).toBe(false);
        expect(await places.take("p1", true, { inAll: 3 })).toBe(false);
        expect(await places.take("p1", true, { inPhases: 3, inAll: 4 })).toBe(true);
        expect(await places.take("p1", true, { inPhases: 3 })).toBe(false);
      });
      await storage.close();
    });
  });

  test.each([
    ["0006-preparing", 7_000, 0],
    ["0018-states", 0, 1],
    ["0024-adaptive", 7_000, 0],
  ])(
    "of version %s keep a deployment that is being prepared out of sight, and delete it",
    async (version, until, abandoned) => {
      await withRecords(async ({ location }) => {
        await leaveRecords(
          location,
          version,
          sql`insert into deployments (id, sequence, name, artifact_name, force_installation, all_devices, target_count,
            device_count, status, total_size_bytes, created_ms, active_sha256, preparing_until_ms)
          values ('p2', 1000001, 'second', 'release-2', 0, 1, 2, 0, 'pending', 0, 4, 'y', ${until})`,
          sql`insert into device_deployments (deployment_id, device_id, sequence, status, attempt)
          values ('p2', 'd1', 1000001, 'pending', 1), ('p2', 'd2', 1000001, 'pending', 1)`,
        );
        const storage = await Storage.open(location, files);
        await storage.transaction(async ({ deployments, deviceDeployments, preparations, counters }) => {
          expect((await deployments.list({}, "asc", { page: 1, perPage: 10 })).items).toMatchObject([{ id: "p1" }]);
          expect(await deviceDeployments.oldestOpen("d1", 1)).toBeUndefined();
          expect(await preparations.all()).toMatchObject([{ deployment_id: "p2", target_count: 2, abandoned }]);
          expect(await deployments.activeLike("y")).toBe("p2");
          expect(await deployments.anyOfRelease("release-2", "unfinished")).toBe(true);
          await preparations.withdraw("d2");
          expect(await deviceDeployments.targets("p2")).toEqual(["d1"]);
          expect((await counters.of("p1")).installing).toBe(1);
        });
        const { items } = await storage.read(({ deviceDeploymentLists }) =>
          deviceDeploymentLists.listOf("p1", undefined, { page: 1, perPage: 10 }),
        );
        expect(items).toMatchObject([{ device_id: "d1", status: "installing" }]);
        await storage.close();
      });
    },
  );

  test("keep the texts by which devices are found, without the ids", async () => {
    await withRecords(async ({ location }) => {
      const others = ["d2", "d3", "d4"].map(
        (id) => sql`insert into devices (id, identity_sha256, identity_json, status, created_ms, updated_ms)
          values (${id}, ${id}, '{}', 'accepted', 1, 2)`,
      );
      await leaveRecords(
        location,
        "0025-preparations",
        ...others,
        sql`insert into device_texts (device_id, text)
          values ('d1', ${"d1\nboard\nv1"}), ('d2', 'd2'), ('d3', ${"d3\nd3x"}), ('d4', ${"d4x\nboard"})`,
      );
      const storage = await Storage.open(location, files);
      const found = (text: string) => storage.read(({ deviceTexts }) => deviceTexts.devices(text, { limit: 10 }));
      expect(await found("board")).toEqual(["d1", "d4"]);
      expect(await found("d")).toEqual(["d1", "d2", "d3", "d4"]);
      expect(await found("2")).toEqual(["d2"]);
      expect(await found("d3x")).toEqual(["d3"]);
      expect(await found("d4x")).toEqual(["d4"]);
      expect(await found("x\n")).toEqual([]);
      await storage.close();
      expect(await textsIn(location)).toEqual(["board\nv1", "", "d3x", "d4x\nboard"]);
    });
  });

  test("keep last signs of life, pending ends and the uptime of servers under their new names", async () => {
    await withRecords(async ({ location }) => {
      await leaveRecords(
        location,
        "0014-absence",
        sql`update deployments set silent_after_ms = 60000, status = 'finished', finished_ms = 9, ending = 'abort'`,
        sql`update device_deployments set heard_ms = 7`,
        sql`insert into hearing (server, since_ms, last_ms) values ('s1', 1, 8)`,
      );
      const storage = await Storage.open(location, files);
      await storage.read(async ({ deployments, deviceDeployments, pendingEnds, uptime }) => {
        expect(await deviceDeployments.find("p1", "d1")).toMatchObject({ last_seen_ms: 7 });
        expect(await deployments.withPendingEnd()).toMatchObject([{ id: "p1", pending_end: "abort" }]);
        expect(await pendingEnds.ended("d1")).toMatchObject([{ deployment_id: "p1", pending_end: "abort" }]);
        expect(await uptime.all()).toEqual([{ server: "s1", since_ms: 1, last_ms: 8 }]);
      });
      await storage.close();
    });
  });

  test("have the values of attributes in the index", async () => {
    await withRecords(async ({ location }) => {
      const attribute = (scope: string, name: string, value: unknown, updatedMs: number) => sql`
        insert into inventory_attributes (device_id, scope, name, value_json, updated_ms)
        values ('d1', ${scope}, ${name}, ${JSON.stringify(value)}, ${updatedMs})`;
      await leaveRecords(
        location,
        "0020-contacts",
        attribute("identity", "mac", "1", 8),
        attribute("inventory", "mac", ["a", "b"], 9),
        attribute("inventory", "memory", 512, 7),
      );
      const storage = await Storage.open(location, files);
      await storage.read(async ({ attributeIndex, devices }) => {
        expect((await devices.find("d1"))?.attributes_ms).toBe(9);
        const found = async (scope: "identity" | "inventory", name: string, key: string) =>
          attributeIndex.devices((await attributeIndex.find({ scope, name }))?.id ?? 0, [{ key }]);
        expect(await found("identity", "mac", "t1")).toEqual(["d1"]);
        expect(await found("identity", "mac", "Ta")).toEqual([]);
        expect(await found("inventory", "mac", "Tb")).toEqual(["d1"]);
        expect(await found("inventory", "memory", scalarKey(512))).toEqual(["d1"]);
      });
      // A name that is new gets a number that no other has.
      await storage.transaction(({ inventory }) =>
        inventory.put([
          { device_id: "d1", scope: "tags", name: "new", value_json: '"x"', description: null, updated_ms: 10 },
        ]),
      );
      const { attribute_names = [] } = await storage.read(({ tables }) => tables.copy());
      expect(new Set(attribute_names.map(({ id }) => id)).size).toBe(4);
      await storage.close();
    });
  });
});
