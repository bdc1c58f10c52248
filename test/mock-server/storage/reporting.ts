import { once } from "node:events";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { expect } from "vitest";
import type { StorageLocation } from "../../../mock-server/storage/index.ts";
import type { Program } from "../../support/program.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES } from "../domain-fixture.ts";

const DEVICES = 10;

/** The program that reports statuses without end, as one file in `folder` that starts quickly. */
export function buildReporter(folder: string): Promise<string> {
  return buildProgram(join(import.meta.dirname, "reporter.ts"), folder);
}

/** A program of the tests as one file in `folder`. */
export async function buildProgram(entryPoint: string, folder: string): Promise<string> {
  const native = createRequire(import.meta.url).resolve("better-sqlite3");
  const outfile = join(folder, `${basename(entryPoint, ".ts")}.mjs`);
  await build({
    entryPoints: [entryPoint],
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
export async function begun(location: StorageLocation): Promise<{ readonly id: string; readonly devices: string[] }> {
  const { domain } = await openTestDomain({ autoAccept: true }, location);
  const devices = await acceptedDevices(domain, DEVICES);
  await domain.artifacts.insert(artifact({ id: "a1" }));
  const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices });
  for (const device of devices) await domain.deviceSide.next(device, PROVIDES);
  await domain.close();
  return { id, devices };
}

/** What a reporter acknowledged last, by device, until it was killed in the middle of it. */
export async function acknowledgedUntilKilled(program: Program, killedAfter: number): Promise<Map<string, string>> {
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
