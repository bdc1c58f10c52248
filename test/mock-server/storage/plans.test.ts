import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AuthSetRecords } from "../../../mock-server/storage/auth-sets.ts";
import { DeviceDeploymentRecords } from "../../../mock-server/storage/device-deployments.ts";
import { recordsOver } from "../../../mock-server/storage/engines/dialect.ts";
import { SQLITE, SqliteConnection } from "../../../mock-server/storage/engines/sqlite-connection.ts";
import { Storage } from "../../../mock-server/storage/index.ts";
import type { Schema } from "../../../mock-server/storage/schema.ts";
import { databasePath, openSqlite } from "../../../mock-server/storage/sqlite.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
  await (await Storage.open({ directory }, new NodeFiles())).close();
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** How SQLite goes about the statements that are run: a line for each table that it looks into. */
async function plansOf(run: (db: Kysely<Schema>) => Promise<unknown>): Promise<string[]> {
  const sqlite = openSqlite(databasePath(directory));
  const plans: string[] = [];
  class Explaining extends SqliteConnection {
    override async executeQuery<R>(query: Parameters<SqliteConnection["executeQuery"]>[0]) {
      const steps = sqlite.prepare<unknown[], { detail: string }>(`explain query plan ${query.sql}`);
      plans.push(...steps.all(...query.parameters).map(({ detail }) => detail));
      return await super.executeQuery<R>(query);
    }
  }
  await run(recordsOver(new Explaining(sqlite), SQLITE));
  sqlite.close();
  return plans;
}

describe("However large the fleet, SQLite looks into as little as can be for", () => {
  test("a token, and whether its device has nothing to do", async () => {
    const token = { id: "a1", deviceId: "d1", generation: 1 };
    expect(await plansOf((db) => new AuthSetRecords(db).tokenStatus(token))).toEqual([
      "SEARCH auth_sets USING COVERING INDEX auth_sets_standing (id=? AND token_generation=? AND status=?)",
      expect.stringContaining("SUBQUERY"),
      "SEARCH open USING INDEX device_deployments_open (device_id=?)",
      expect.stringContaining("SUBQUERY"),
      "SEARCH deployments USING INDEX deployments_open_dynamic (dynamic=? AND status=?)",
      expect.stringContaining("SUBQUERY"),
      expect.stringMatching("SEARCH part USING COVERING INDEX .* \\(deployment_id=\\? AND device_id=\\?\\)"),
    ]);
  });

  test("the oldest that a device has not finished", async () => {
    const [plan] = await plansOf((db) => new DeviceDeploymentRecords(db).oldestOpen("d1", 0));
    expect(plan).toBe("SEARCH device_deployments USING INDEX device_deployments_open (device_id=? AND sequence>?)");
  });

  test("the last that a device has finished", async () => {
    const plans = await plansOf((db) => new DeviceDeploymentRecords(db).lastFinished("d1"));
    expect(plans).toEqual(["SEARCH device_deployments USING INDEX device_deployments_history (device_id=?)"]);
  });
});
