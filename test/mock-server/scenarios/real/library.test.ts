import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { LIBRARY, scenarioNamed, scenarioNames } from "../../../scenarios/library.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../../mock-server/bin/upkeep-server.mjs");
const REAL = scenarioNames().filter((name) => scenarioNamed(name).runs.includes("real"));
/** Each takes five to thirty seconds, one ten minutes: two of each folder run here, `npm run scenarios:real` runs all. */
const OF_EACH_FOLDER = 2;
const CHOSEN = REAL.filter((name, index) => {
  const earlier = REAL.slice(0, index).filter((other) => dirname(other) === dirname(name));
  return earlier.length < OF_EACH_FOLDER;
});

/** Standard output, whatever the exit code. */
function run(...args: readonly string[]): string {
  try {
    return execFileSync(process.execPath, [UPKEEP_SERVER, "scenario", "run", ...args], {
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}

test("at least fifteen scenarios are known to run with real programs", () => {
  expect(REAL.length).toBeGreaterThanOrEqual(15);
});

test.each(CHOSEN)("%s, with a real server and real agents", (name) => {
  const output = run(join(LIBRARY, `${name}.yaml`), "--real");
  expect(output).toContain("1 of 1 scenarios went as expected");
});

test("what cannot be done with real programs is said by name, and skipped", () => {
  const output = run(join(LIBRARY, "09-disk/disk-full-while-downloading.yaml"), "--real");
  expect(output).toContain("not possible here: disk_full: the devices have no disk of their own");
  expect(output).not.toContain("1 of 1 scenarios went as expected");
});
