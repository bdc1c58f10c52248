import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { postgresPrograms } from "../mock-server/postgres/server.ts";
import { startProgram } from "../support/program.ts";
import { impossible, report, type TortureOptions, tortureBoth } from "./both.ts";
import type { Plan } from "./plans.ts";
import type { Plant } from "./plants.ts";

const MINUTE_MS = 60_000;
/** A minute of torture, and what the last deployment of it may take. */
const LIMIT_MS = 6 * MINUTE_MS;

const obstacle = await impossible();
if (obstacle !== undefined && process.env.CI) throw new Error(obstacle);
if (obstacle !== undefined) process.stderr.write(`No torture: ${obstacle}\n`);

const directory = mkdtempSync(join(tmpdir(), "upkeep-torture-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(obstacle !== undefined)("an agent and a server that are killed, on a disk that is full", () => {
  test(
    "violate nothing in a minute, on each engine",
    async () => {
      const engines = postgresPrograms() === undefined ? (["sqlite"] as const) : (["sqlite", "postgres"] as const);
      const results = await tortureBoth({ engines, seed: "a minute", durationMs: MINUTE_MS });
      process.stdout.write(report(results));
      for (const { violations, deployments } of results) {
        expect(violations, report(results)).toEqual([]);
        expect(deployments).toBeGreaterThan(0);
      }
    },
    LIMIT_MS,
  );

  const wrong: [Plant, (plan: Plan) => boolean, RegExp][] = [
    ["forgetful server", ({ fails }) => fails === undefined, /success was acknowledged, and is \w+ now/],
    [
      "idle module",
      ({ module, fails }) => module !== "slots" && fails === undefined,
      /success, but not the new version: /,
    ],
  ];
  test.each(wrong)(
    "are found out if one of them is wrong: %s",
    async (plant, only, violation) => {
      const options: TortureOptions = {
        ...{ engines: ["sqlite"], seed: plant, durationMs: MINUTE_MS, deploymentsMax: 1, withoutFaults: true },
        ...{ directory: join(directory, plant), plant, only },
      };
      const [result] = await tortureBoth(options);
      expect(result?.violations.join("\n")).toMatch(violation);
    },
    LIMIT_MS,
  );

  test(
    "are found out if no Cleanup is carried out: the program says so, where to look, and ends with 1",
    async () => {
      const logs = join(directory, "no cleanup");
      const program = startProgram(process.execPath, [
        ...["--import", "tsx", join(import.meta.dirname, "torture.ts"), "--engine", "sqlite", "--seed", "u1"],
        ...["--plant", "no cleanup", "--without-faults", "--deployments", "20", "--directory", logs],
      ]);
      expect(await program.ended, program.output()).toBe(1);
      expect(program.stdout()).toMatch(/^sqlite: v\d+: ArtifactInstall was called, and Cleanup never$/m);
      expect(program.stdout()).toContain(`logs: ${join(logs, "sqlite")}`);
      expect(program.stdout()).toContain("again: npm run torture -- --engine sqlite --seed 'u1'");
    },
    LIMIT_MS,
  );
});
