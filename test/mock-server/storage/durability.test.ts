import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProgram } from "../../support/program.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../domain-fixture.ts";

const STATUSES = ["downloading", "installing", "rebooting"] as const;
const DEVICES = 10;
const KILLED_AFTER = [1, 40, 111];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** The program that reports statuses without end, as one file that Node runs as it is. */
async function buildReporter(): Promise<string> {
  const native = createRequire(import.meta.url).resolve("better-sqlite3");
  const outfile = join(directory, "reporter.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "reporter.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    alias: { "better-sqlite3": native },
    external: [native],
    logLevel: "warning",
  });
  return outfile;
}

test("Whatever was acknowledged before the server was killed is there when it starts again", async () => {
  const data = directory;
  const { domain } = await openTestDomain({ autoAccept: true }, { directory: data });
  const devices = await acceptedDevices(domain, DEVICES);
  await domain.artifacts.insert(artifact({ id: "a1" }));
  const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
  for (const device of devices) await domain.deviceSide.next(device, PROVIDES);
  await domain.close();

  const reporter = await buildReporter();
  for (const killedAfter of KILLED_AFTER) {
    const program = startProgram(process.execPath, [reporter, data, id, ...devices]);
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

    const reopened = await openTestDomain({}, { directory: data });
    const found = (await reopened.domain.deployments.devices(id, undefined)).items;
    const statistics = await reopened.domain.deployments.statistics(id);
    await reopened.domain.close();
    for (const [device, substate] of acknowledged) {
      // What was under way when the server died may have been kept too; what was acknowledged was.
      const kept = Number(found.find(({ deviceId }) => deviceId === device)?.substate);
      expect(kept).toBeGreaterThanOrEqual(Number(substate));
    }
    for (const status of STATUSES) {
      expect(statistics[status]).toBe(found.filter((row) => row.status === status).length);
    }
  }
});
