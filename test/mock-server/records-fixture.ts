import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { StorageLocation } from "../../mock-server/storage/index.ts";

/** A place for records that are new, and a way to be rid of it. */
export interface TestRecords {
  readonly location: StorageLocation;
  /** Anything that is still connected to it loses it. */
  remove(): Promise<void>;
}

export type RecordsKind = "memory" | "file" | "postgres";

/** On which engine the tests run; the test runner's configuration runs them on each. */
export const RECORDS_KIND: RecordsKind = (() => {
  const kind = process.env.UPKEEP_TEST_RECORDS ?? "memory";
  if (kind === "memory" || kind === "file" || kind === "postgres") return kind;
  throw new Error(`UPKEEP_TEST_RECORDS: must be memory, file or postgres, not ${kind}`);
})();

let made = 0;

/** @param url A database of the server that the tests have started. */
export async function makeSchema(
  url: string,
): Promise<{ readonly url: string; readonly checksLocks: boolean; remove(): Promise<void> }> {
  made += 1;
  const name = `test_${process.pid}_${made}`;
  const run = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await run(`create schema ${name}`);
  return {
    url: `${url}?options=${encodeURIComponent(`-c search_path=${name} -c client_min_messages=warning`)}`,
    checksLocks: true,
    remove: () => run(`drop schema ${name} cascade`),
  };
}

export async function makeRecords(kind: RecordsKind, postgresUrl?: string): Promise<TestRecords> {
  switch (kind) {
    case "memory":
      return { location: { memory: true }, remove: () => Promise.resolve() };
    case "file": {
      const directory = mkdtempSync(join(tmpdir(), "upkeep-records-"));
      return { location: { directory }, remove: async () => rmSync(directory, { recursive: true }) };
    }
    case "postgres": {
      if (postgresUrl === undefined) throw new Error("the test runner started no PostgreSQL");
      const { remove, ...location } = await makeSchema(postgresUrl);
      return { location, remove };
    }
  }
}
