import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DATABASE_FILE, type DeviceRecord, Storage } from "../../../mock-server/storage/index.ts";
import { openSqlite } from "../../../mock-server/storage/sqlite.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function device(id: string): DeviceRecord {
  return {
    id,
    identity_sha256: id,
    identity_json: "{}",
    status: "pending",
    created_ms: 1,
    updated_ms: 1,
    check_in_ms: null,
    group_name: null,
    tags_etag: null,
  };
}

/** A promise that is kept from outside. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("The database", () => {
  test("syncs every commit, writes ahead, and enforces references", () => {
    const sqlite = openSqlite({ directory });
    expect(sqlite.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(sqlite.pragma("synchronous", { simple: true })).toBe(2);
    expect(sqlite.pragma("foreign_keys", { simple: true })).toBe(1);
    sqlite.close();
  });

  test("has its records again after it was closed and opened", async () => {
    const before = await Storage.open({ directory });
    await before.transaction(({ devices }) => devices.insert(device("d1")));
    await before.close();
    const after = await Storage.open({ directory });
    expect(await after.read(({ devices }) => devices.find("d1"))).toMatchObject({ id: "d1" });
    await after.close();
  });

  test("in memory starts empty", async () => {
    for (const attempt of [1, 2]) {
      const storage = await Storage.open({ memory: true });
      expect(await storage.read(({ devices }) => devices.count(undefined)), `attempt ${attempt}`).toBe(0);
      await storage.transaction(({ devices }) => devices.insert(device("d1")));
      await storage.close();
    }
  });

  test("is refused if a newer version made it", async () => {
    await (await Storage.open({ directory })).close();
    const sqlite = new SqliteDatabase(join(directory, DATABASE_FILE));
    sqlite.exec("insert into kysely_migration values ('9999-newer', '2030-01-01T00:00:00Z')");
    sqlite.close();
    await expect(Storage.open({ directory })).rejects.toThrow("the database cannot be brought up to date");
  });

  test("is refused if it is not one", async () => {
    await writeFile(join(directory, DATABASE_FILE), "This is a letter, not a database. ".repeat(100));
    await expect(Storage.open({ directory })).rejects.toThrow("file is not a database");
  });
});

describe("A transaction", () => {
  let storage: Storage;
  beforeEach(async () => {
    storage = await Storage.open({ directory });
  });
  afterEach(() => storage.close());

  test("leaves nothing behind when it fails, and the next one works", async () => {
    const failed = storage.transaction(async ({ devices }) => {
      await devices.insert(device("d1"));
      throw new Error("half way");
    });
    await expect(failed).rejects.toThrow("half way");
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
    await storage.transaction(({ devices }) => devices.insert(device("d1")));
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(1);
  });

  test("lets no other write or read come between its statements", async () => {
    const { opened, open } = gate();
    const seen: string[] = [];
    const first = storage.transaction(async ({ devices }) => {
      await devices.insert(device("d1"));
      await opened;
      seen.push(`first sees ${await devices.count(undefined)}`);
      await devices.delete("d1");
    });
    const others = Promise.all([
      storage.transaction(async ({ devices }) => {
        seen.push(`second sees ${await devices.count(undefined)}`);
        await devices.insert(device("d2"));
      }),
      storage.read(async ({ devices }) => seen.push(`reader sees ${await devices.count(undefined)}`)),
    ]);
    open();
    await Promise.all([first, others]);
    expect(seen).toEqual(["first sees 1", "second sees 0", "reader sees 1"]);
  });

  test("is seen by another process only when it has been committed", async () => {
    const other = new SqliteDatabase(join(directory, DATABASE_FILE), { readonly: true });
    const count = () => other.prepare("select count(*) from devices").pluck().get();
    await storage.transaction(async ({ devices }) => {
      await devices.insert(device("d1"));
      expect(count()).toBe(0);
    });
    expect(count()).toBe(1);
    other.close();
  });

  test("that only reads cannot leave anything behind", async () => {
    await storage.read(({ devices }) => devices.insert(device("d1")));
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });

  test("that is under way, or waits for one, is finished before the database is closed", async () => {
    const { opened, open } = gate();
    const underWay = storage.transaction(async ({ devices }) => {
      await opened;
      await devices.insert(device("d1"));
    });
    const waiting = storage.transaction(({ devices }) => devices.insert(device("d2")));
    const closed = storage.close();
    open();
    await Promise.all([underWay, waiting, closed]);
    storage = await Storage.open({ directory });
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(2);
  });

  test("that breaks a rule of the tables fails whole", async () => {
    const broken = storage.transaction(async ({ devices, authSets }) => {
      await devices.insert(device("d1"));
      await authSets.insert({
        id: "s1",
        device_id: "none",
        public_key: "k",
        public_key_sha256: "k",
        status: "pending",
        token_generation: 1,
        created_ms: 1,
      });
    });
    await expect(broken).rejects.toThrow("FOREIGN KEY");
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });
});
