import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StorageLocation } from "../../../mock-server/storage/index.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../domain-fixture.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";

const STATUSES = ["downloading", "installing", "rebooting"] as const;
const DEVICES = 10;
const KILLED_AFTER = [1, 40, 111, 500, 1000];

let folder: string;
let reporter: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-server-"));
  reporter = await buildReporter();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The program that reports statuses without end, as one file that starts quickly. */
async function buildReporter(): Promise<string> {
  const native = createRequire(import.meta.url).resolve("better-sqlite3");
  const outfile = join(folder, "reporter.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "reporter.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    alias: { "better-sqlite3": native },
    external: [native, "pg-native", "vitest"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
  return outfile;
}

/** Devices that have all begun one deployment. */
async function begun(location: StorageLocation): Promise<{ readonly id: string; readonly devices: string[] }> {
  const { domain } = await openTestDomain({ autoAccept: true }, location);
  const devices = await acceptedDevices(domain, DEVICES);
  await domain.artifacts.insert(artifact({ id: "a1" }));
  const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
  for (const device of devices) await domain.deviceSide.next(device, PROVIDES);
  await domain.close();
  return { id, devices };
}

function startReporter(location: string, id: string, devices: readonly string[]): Program {
  return startProgram(process.execPath, [reporter, location, id, ...devices]);
}

/** What a program acknowledged, by device, until it was killed in the middle of it. */
async function acknowledgedUntilKilled(program: Program, killedAfter: number): Promise<Map<string, string>> {
  const acknowledged = new Map<string, string>();
  let count = 0;
  if (program.child.stdout === null) throw new Error("the reporter has no output");
  const lines = createInterface({ input: program.child.stdout });
  lines.on("line", (line) => {
    const [device = "", substate = ""] = line.split(" ");
    acknowledged.set(device, substate);
    count += 1;
    if (count === killedAfter) program.child.kill("SIGKILL");
  });
  await Promise.all([program.ended, once(lines, "close")]);
  expect(await program.ended, program.output()).toBe("SIGKILL");
  expect(count).toBeGreaterThanOrEqual(killedAfter);
  return acknowledged;
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
