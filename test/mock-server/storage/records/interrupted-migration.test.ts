import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Storage } from "../../../../mock-server/storage/index.ts";
import { migrations } from "../../../../mock-server/storage/migrations/index.ts";
import { DATABASE_FILE } from "../../../../mock-server/storage/sqlite.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { RECORDS_KIND } from "../../records-fixture.ts";
import { leaveRecords } from "./older-records.ts";

const files = new NodeFiles();
const FILES = ["", "-wal"].map((suffix) => DATABASE_FILE + suffix);
const [FIRST = ""] = Object.keys(await migrations.getMigrations());

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-migration-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** The files of the records, as a server that is killed now would leave them. */
function filesIn(directory: string): ReadonlyMap<string, Buffer> {
  const there = FILES.filter((name) => existsSync(join(directory, name)));
  return new Map(there.map((name) => [name, readFileSync(join(directory, name))]));
}

function digestOf(records: ReadonlyMap<string, Buffer>): string {
  const hash = createHash("sha256");
  for (const content of records.values()) hash.update(content);
  return hash.digest("hex");
}

// PostgreSQL's migrations are one transaction.
test.skipIf(RECORDS_KIND !== "file")(
  "a server killed in the middle of a migration opens its records again",
  async () => {
    const directory = join(folder, "records");
    mkdirSync(directory);
    await leaveRecords({ directory }, FIRST);

    const left = new Map<string, ReadonlyMap<string, Buffer>>();
    let statements = 0;
    const prepare = SqliteDatabase.prototype.prepare;
    vi.spyOn(SqliteDatabase.prototype, "prepare").mockImplementation(function (
      this: SqliteDatabase.Database,
      sql: string,
    ) {
      if (/^\s*(alter|create|delete|drop|insert|update|commit)/i.test(sql)) {
        statements += 1;
        const records = filesIn(directory);
        left.set(digestOf(records), records);
      }
      return prepare.call(this, sql);
    });
    await (await Storage.open({ directory }, files)).close();
    vi.restoreAllMocks();

    expect(statements).toBeGreaterThan(100);
    for (const [digest, records] of left) {
      const copy = join(folder, digest);
      mkdirSync(copy);
      for (const [name, content] of records) writeFileSync(join(copy, name), content);
      const storage = await Storage.open({ directory: copy }, files);
      const device = await storage.read(({ devices }) => devices.find("d1"));
      expect(device).toMatchObject({ status: "accepted", created_ms: 1 });
      await storage.close();
    }
  },
);
