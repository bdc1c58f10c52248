import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../../..");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-node-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Run a program as a Node that calls itself by another version. */
function runAs(version: string, program: string): { readonly status: number | null; readonly output: string } {
  const preload = join(folder, `${version}.cjs`);
  const versions = `{ ...process.versions, node: ${JSON.stringify(version)} }`;
  writeFileSync(preload, `Object.defineProperty(process, "versions", { value: ${versions} });\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-r", preload, program, "--version"], {
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

test.each([
  ["upkeep-server", join(REPOSITORY, "mock-server/bin/upkeep-server.mjs")],
  ["upkeep", join(REPOSITORY, "agent/bin/upkeep.cjs")],
  ["upkeep", join(REPOSITORY, "agent/dist/upkeep.cjs")],
])("a Node that is too old is told in one sentence by %s (%s)", (name, program) => {
  for (const version of ["18.20.4", "20.18.3"]) {
    expect(runAs(version, program)).toEqual({
      status: 1,
      output: `${name}: Node 20.19 or newer is needed, and this is ${version}\n`,
    });
  }
  expect(runAs("20.19.0", program)).toMatchObject({ status: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+/) });
});
