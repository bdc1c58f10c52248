import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StorageLocation } from "../../../mock-server/storage/index.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { openTestDomain } from "../domain-fixture.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { acknowledgedUntilKilled, begun, buildReporter } from "./reporting.ts";

const STATUSES = ["downloading", "installing", "rebooting"] as const;
const KILLED_AFTER = [1, 40, 111, 500, 1000];

let folder: string;
let reporter: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-server-"));
  reporter = await buildReporter(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

function startReporter(location: string, id: string, devices: readonly string[]): Program {
  return startProgram(process.execPath, [reporter, location, id, ...devices]);
}

async function expectAllFound(location: StorageLocation, id: string, acknowledged: ReadonlyMap<string, string>) {
  const { domain } = await openTestDomain({}, location);
  const found = (await domain.deployments.devices(id, undefined)).items;
  const statistics = await domain.deployments.statistics(id);
  await domain.close();
  const lost = [...acknowledged].filter(([device, substate]) => {
    // What was under way when the server died may have been kept too; what was acknowledged was.
    const kept = found.find(({ deviceId }) => deviceId === device)?.substate ?? "";
    return kept < substate;
  });
  expect(lost).toEqual([]);
  for (const status of STATUSES) {
    expect(statistics[status]).toBe(found.filter((row) => row.status === status).length);
  }
}

describe("Whatever was acknowledged before the server was killed is there when it starts again", () => {
  test("in SQLite", async () => {
    const directory = folder;
    const { id, devices } = await begun({ directory });
    for (const killedAfter of KILLED_AFTER) {
      const acknowledged = await acknowledgedUntilKilled(startReporter(directory, id, devices), killedAfter);
      await expectAllFound({ directory }, id, acknowledged);
    }
  });

  describePostgres("in PostgreSQL", () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgres({ durable: true });
    });
    afterAll(() => server.stop());

    test("even if the database dies with it", async () => {
      const { id, devices } = await begun(server);
      for (const killedAfter of KILLED_AFTER) {
        const acknowledged = await acknowledgedUntilKilled(startReporter(server.url, id, devices), killedAfter);
        await server.crash();
        await expectAllFound(server, id, acknowledged);
      }
    });
  });
});
