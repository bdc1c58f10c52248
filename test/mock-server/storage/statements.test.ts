import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { CompiledQuery } from "kysely";
import { expect, test } from "vitest";
import { SqliteConnection } from "../../../mock-server/storage/engines/sqlite-connection.ts";
import { openSqlite, openSqliteReader } from "../../../mock-server/storage/sqlite.ts";

function over(sqlite: Database): (sql: string, ...parameters: unknown[]) => Promise<unknown[]> {
  const connection = new SqliteConnection(sqlite);
  return async (sql, ...parameters) => (await connection.executeQuery(CompiledQuery.raw(sql, parameters))).rows;
}

test("A statement that is prepared returns the columns that the table has now", async () => {
  const run = over(openSqlite(":memory:"));
  await run("create table t (a text, b integer)");
  await run("insert into t values (?, ?)", "x", 1);
  expect(await run("select * from t")).toEqual([{ a: "x", b: 1 }]);
  await run("alter table t add column c text");
  expect(await run("select * from t")).toEqual([{ a: "x", b: 1, c: null }]);
  await run("alter table t rename column b to d");
  await run("alter table t drop column c");
  expect(await run("select * from t")).toEqual([{ a: "x", d: 1 }]);
});

test("A connection sees the columns that another connection has added", async () => {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-statements-"));
  try {
    const path = join(directory, "records.sqlite");
    const writer = openSqlite(path);
    writer.exec("create table t (a text); insert into t values ('x')");
    const reader = openSqliteReader(path);
    const run = over(reader);
    expect(await run("select a from t")).toEqual([{ a: "x" }]);
    writer.exec("alter table t add column b integer");
    expect(await run("select * from t")).toEqual([{ a: "x", b: null }]);
    reader.close();
    writer.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("Of two columns of one name, the later one is read; a statement without rows returns none", async () => {
  const run = over(openSqlite(":memory:"));
  expect(await run("select 1 as n, 2 as n")).toEqual([{ n: 2 }]);
  await run("create table t (a text)");
  expect(await run("insert into t values ('x') returning a")).toEqual([{ a: "x" }]);
  expect(await run("delete from t")).toEqual([]);
});
