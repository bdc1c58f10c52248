import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unsupportedIn } from "../../../../mock-server/scenarios/real/unsupported.ts";
import { LIBRARY, scenarioNamed, scenarioNames } from "../../../scenarios/library.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../../mock-server/bin/upkeep-server.mjs");

/** One for each thing that real programs do in another way than simulated ones; `npm run scenarios:real` runs all. */
const CHOSEN = {
  "a connection that fails, and a download that takes its time": "01-network/link-down-in-the-middle-of-a-download",
  "a kill at the very beginning of a state": "05-power/power-cut-before-or-after-installing",
  "a program that hangs until the agent's timer ends it": "06-update-modules/module-hangs",
  "the wall clock of an agent's process": "10-time/clock-jumps",
  "a server that is killed, and started again": "13-rollouts/server-is-killed-at-a-status",
} as const;

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

test("most scenarios can be run with real programs", () => {
  const possible = scenarioNames().filter((name) => unsupportedIn(scenarioNamed(name), "real").length === 0);
  expect(possible.length).toBeGreaterThan(110);
});

test("with a real server and real agents, scenarios end as in virtual time", () => {
  const files = Object.values(CHOSEN).map((name) => join(LIBRARY, `${name}.yaml`));
  const output = run(...files, "--real", "--jobs", "2");
  expect(output).toMatch(/^result .*\n(?:pass .*\n){5}5 of 5 scenarios went as expected\n$/);
});

test("what cannot be done with real programs is said by name, and skipped", () => {
  const output = run(join(LIBRARY, "09-disk/disk-full-while-downloading.yaml"), "--real");
  expect(output).toContain("not possible here: disk_full: the devices have no disk of their own");
  expect(output).toContain("0 of 0 scenarios went as expected, 1 not possible here");
});
