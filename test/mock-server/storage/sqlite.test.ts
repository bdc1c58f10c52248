import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogFields } from "@upkeep/shared/logging";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DATABASE_FILE, Storage } from "../../../mock-server/storage/index.ts";
import { databasePath, openSqlite } from "../../../mock-server/storage/sqlite.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { NodeWorkers } from "../../../mock-server/system/workers.ts";
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

describe("Checkpoints in a thread of their own", () => {
  const pages = (path: string) => (existsSync(path) ? statSync(path).size / 4096 : 0);

  async function insertMany(storage: Storage, from: number, count: number): Promise<void> {
    await storage.transaction(async ({ devices }) => {
      for (let number = from; number < from + count; number += 1)
        await devices.insert({ ...deviceRecord(`d${number}`), identity_json: "x".repeat(1000) });
    });
  }

  test("bring what was committed into the database, and leave nothing when it is closed", async () => {
    const storage = await Storage.open({ directory, workers: new NodeWorkers() }, files);
    const database = databasePath(directory);
    const before = pages(database);
    await insertMany(storage, 0, 3000);
    await expect.poll(() => pages(database)).toBeGreaterThan(before + 100);
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(3000);
    await storage.close();
    expect(existsSync(`${database}-wal`)).toBe(false);
    const after = await Storage.open({ directory }, files);
    expect(await after.read(({ devices }) => devices.count(undefined))).toBe(3000);
    await after.close();
  });

  test("let the log begin anew", async () => {
    const storage = await Storage.open({ directory, workers: new NodeWorkers() }, files);
    const database = databasePath(directory);
    await insertMany(storage, 0, 3000);
    const log = pages(`${database}-wal`);
    const beside = new SqliteDatabase(database);
    for (let round = 1; round <= 4; round += 1) {
      // Whoever does it: all of the log is in the database.
      await expect
        .poll(() => {
          const [result] = beside.pragma("wal_checkpoint(PASSIVE)") as Record<string, number>[];
          return result?.busy === 0 && result.log === result.checkpointed;
        })
        .toBe(true);
      expect(storage.readSync(() => ({}))).toBeDefined();
      await insertMany(storage, round * 3000, 3000);
    }
    beside.close();
    expect(pages(`${database}-wal`)).toBeLessThan(2.5 * log);
    await storage.close();
  });

  test("are done by SQLite where there is no such thread", async () => {
    const workers = {
      start: () => ({ ask: () => Promise.reject(new Error("no thread")), end: () => Promise.resolve() }),
    };
    const logged: unknown[] = [];
    const logger = { error: (message: string, fields?: LogFields) => void logged.push([message, fields]) };
    const storage = await Storage.open({ directory, workers }, files, logger);
    for (let round = 0; round < 3; round += 1) await insertMany(storage, round * 3000, 3000);
    expect(pages(databasePath(directory))).toBeGreaterThan(100);
    expect(logged).toEqual([
      ["a checkpoint failed; SQLite's automatic checkpoint takes over", { error: new Error("no thread") }],
    ]);
    await storage.close();
  });
});

test("Whoever reads again and again lets others have their turn", async () => {
  const { clock, timers } = openSystem();
  const storage = await Storage.open({ directory, pace: { clock, timers } }, files);
  await storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
  let others = 0;
  const turn = (): void => {
    others += 1;
    waiting = setImmediate(turn);
  };
  let waiting = setImmediate(turn);
  const end = clock.monotonic() + 200;
  let reads = 0;
  for (; clock.monotonic() < end; reads += 1) await storage.read(({ devices }) => devices.find("d1"));
  clearImmediate(waiting);
  await storage.close();
  expect(reads).toBeGreaterThan(10);
  expect(others).toBeGreaterThan(1);
});
