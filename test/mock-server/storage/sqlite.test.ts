import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DATABASE_FILE, Storage } from "../../../mock-server/storage/index.ts";
import { databasePath, openSqlite } from "../../../mock-server/storage/sqlite.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { deviceRecord } from "./device-record.ts";

const files = new NodeFiles();

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("A SQLite database", () => {
  test("writes ahead, syncs what it checkpoints, and enforces references", () => {
    const sqlite = openSqlite(databasePath(directory));
    expect(sqlite.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(sqlite.pragma("synchronous", { simple: true })).toBe(1);
    expect(sqlite.pragma("foreign_keys", { simple: true })).toBe(1);
    sqlite.close();
  });

  test("has its records again after it was closed and opened", async () => {
    const before = await Storage.open({ directory }, files);
    await before.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
    await before.close();
    const after = await Storage.open({ directory }, files);
    expect(await after.read(({ devices }) => devices.find("d1"))).toMatchObject({ id: "d1" });
    await after.close();
  });

  test("in memory starts empty", async () => {
    for (const attempt of [1, 2]) {
      const storage = await Storage.open({ memory: true }, files);
      expect(await storage.read(({ devices }) => devices.count(undefined)), `attempt ${attempt}`).toBe(0);
      await storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
      await storage.close();
    }
  });

  test("is refused if a newer version made it", async () => {
    await (await Storage.open({ directory }, files)).close();
    const sqlite = new SqliteDatabase(join(directory, DATABASE_FILE));
    sqlite.exec("insert into kysely_migration values ('9999-newer', '2030-01-01T00:00:00Z')");
    sqlite.close();
    await expect(Storage.open({ directory }, files)).rejects.toThrow("the database cannot be brought up to date");
  });

  test("is refused if it is not one", async () => {
    await writeFile(join(directory, DATABASE_FILE), "This is a letter, not a database. ".repeat(100));
    await expect(Storage.open({ directory }, files)).rejects.toThrow("file is not a database");
  });
});

test("A transaction is seen by another process only when it has been committed", async () => {
  const storage = await Storage.open({ directory }, files);
  const other = new SqliteDatabase(join(directory, DATABASE_FILE), { readonly: true });
  const count = () => other.prepare("select count(*) from devices").pluck().get();
  await storage.transaction(async ({ devices }) => {
    await devices.insert(deviceRecord("d1"));
    expect(count()).toBe(0);
  });
  expect(count()).toBe(1);
  other.close();
  await storage.close();
});
