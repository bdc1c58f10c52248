import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { Client } from "pg";

const SECONDS = 1;
const ROW = "x".repeat(200);

/** What the engine alone commits, durably, one small row after the other, per second. */
export function sqliteCommits(folder: string): number {
  const directory = mkdtempSync(join(folder, "commits-"));
  const sqlite = new SqliteDatabase(join(directory, "db"));
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma("synchronous = FULL");
  sqlite.exec("create table rows (id integer primary key, text text)");
  const insert = sqlite.prepare("insert into rows (text) values (?)");
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < SECONDS * 1000) {
    insert.run(ROW);
    count += 1;
  }
  const perSecond = count / ((performance.now() - start) / 1000);
  sqlite.close();
  rmSync(directory, { recursive: true });
  return perSecond;
}

/** As {@link sqliteCommits}, over one connection. */
export async function postgresCommits(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("create table commit_rate (id bigserial primary key, text text)");
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < SECONDS * 1000) {
    await client.query({ name: "insert", text: "insert into commit_rate (text) values ($1)", values: [ROW] });
    count += 1;
  }
  const perSecond = count / ((performance.now() - start) / 1000);
  await client.query("drop table commit_rate");
  await client.end();
  return perSecond;
}
