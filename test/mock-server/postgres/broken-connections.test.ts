import type { LogFields } from "@upkeep/shared/logging";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Storage } from "../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

describePostgres("A connection to the database that breaks", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("is logged although no request used it, and another one takes its place", async () => {
    const schema = await makeSchema(postgres.url);
    const logged: (readonly [string, LogFields | undefined])[] = [];
    const logger = { error: (message: string, fields?: LogFields) => void logged.push([message, fields]) };
    const storage = await Storage.open({ url: schema.url }, new NodeFiles(), logger);
    try {
      const administrator = new Client({ connectionString: postgres.url });
      await administrator.connect();
      await administrator.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'upkeep-server'",
      );
      await administrator.end();
      await expect.poll(() => logged).toEqual([["a connection to the database broke", { error: expect.any(Error) }]]);
      expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
    } finally {
      await storage.close();
      await schema.remove();
    }
  });
});
