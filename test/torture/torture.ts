// npm run torture [-- --minutes N] [--seed SEED] [--engine sqlite|postgres|both] [--directory DIRECTORY]
//   [--deployments N] [--plant MISTAKE] [--without-faults]
// Built agent on a small disk, real server: both are killed, the disk is filled, made read-only and loses its power.
import { parseArgs } from "node:util";
import { isEngine, report, tortureBoth } from "./both.ts";
import { isPlant, PLANTS } from "./plants.ts";

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: "torture" },
    engine: { type: "string", default: "both" },
    directory: { type: "string" },
    deployments: { type: "string" },
    plant: { type: "string" },
    "without-faults": { type: "boolean", default: false },
  },
});

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function positive(name: "minutes" | "deployments", text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  return refuse(`--${name} must be a number above 0, not ${JSON.stringify(text)}`);
}

const { engine, plant, seed, directory, deployments } = flags;
if (engine !== "both" && !isEngine(engine))
  refuse(`--engine must be sqlite, postgres or both, not ${JSON.stringify(engine)}`);
if (plant !== undefined && !isPlant(plant))
  refuse(`--plant must be one of ${PLANTS.join(", ")}, not ${JSON.stringify(plant)}`);

const results = await tortureBoth({
  engines: engine === "both" ? ["sqlite", "postgres"] : [engine],
  durationMs: positive("minutes", flags.minutes) * 60_000,
  deploymentsMax: deployments === undefined ? undefined : positive("deployments", deployments),
  withoutFaults: flags["without-faults"],
  ...{ seed, directory, plant },
});
process.stdout.write(report(results));
process.exitCode = results.some(({ violations }) => violations.length > 0) ? 1 : 0;
