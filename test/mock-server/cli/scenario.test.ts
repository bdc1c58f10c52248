import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startProgram } from "../../support/program.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const SCENARIOS = join(import.meta.dirname, "../../scenarios");

function scenarioRun(...args: string[]) {
  return startProgram(process.execPath, [UPKEEP_SERVER, "scenario", "run", ...args], { directory: SCENARIOS });
}

test("every file that is named is run, in the order in which they are named", async () => {
  const run = scenarioRun("token-expires.yaml", "success.yaml", "--json");
  expect(await run.ended).toBe(0);
  const { scenarios } = JSON.parse(run.stdout()) as { scenarios: { file: string; passed: boolean }[] };
  expect(scenarios.map(({ file, passed }) => ({ file, passed }))).toEqual([
    { file: "token-expires.yaml", passed: true },
    { file: "success.yaml", passed: true },
  ]);
});

test("of a directory all scenarios are run, also those of its chapters", async () => {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-scenarios-"));
  try {
    mkdirSync(join(directory, "chapter"));
    for (const name of ["b.yaml", "chapter/a.yaml"])
      copyFileSync(join(SCENARIOS, "success.yaml"), join(directory, name));
    const run = scenarioRun(directory, "--json");
    expect(await run.ended).toBe(0);
    const { scenarios } = JSON.parse(run.stdout()) as { scenarios: { file: string }[] };
    expect(scenarios.map(({ file }) => file)).toEqual([`${directory}/b.yaml`, `${directory}/chapter/a.yaml`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("an option that may be given once is refused when it is given twice", async () => {
  const run = scenarioRun("success.yaml", "--seed", "1", "--seed", "2");
  expect(await run.ended).toBe(1);
  expect(run.output()).toContain("--seed: given more than once");
});
