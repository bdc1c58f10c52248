import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresEngine } from "../../../mock-server/storage/engines/postgres-engine.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

describePostgres("Statements for the database", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("are not compiled, also where the URL has options of its own", async () => {
    const engine = await openPostgresEngine({ url: `${postgres.url}?options=-c%20work_mem%3D8MB` });
    try {
      const shown = await engine.read(async (db) => {
        const settings = await sql<{ jit: string; memory: string }>`
          select current_setting('jit') as jit, current_setting('work_mem') as memory`.execute(db);
        return settings.rows;
      });
      expect(shown).toEqual([{ jit: "off", memory: "8MB" }]);
    } finally {
      await engine.close();
    }
  });
});
