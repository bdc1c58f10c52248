// npm run campaign [-- --minutes N] [--seed SEED] [--workers N] [--broken] [--json]
// npm run campaign -- --replay SEED: one random run again, event by event.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createLogger } from "@upkeep/shared/logging";
import { Trace } from "../../mock-server/scenarios/simulation/index.ts";
import { journalAfterTheAct } from "./broken.ts";
import { type Count, replayCut } from "./exhaustive.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";
import { inParallel, type Result, type Task, work } from "./workers.ts";

const RUNS_MIN = 500;
const SHOWN_MAX = 10;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "0" },
    seed: { type: "string", default: "campaign" },
    workers: { type: "string", default: String(Math.min(availableParallelism(), 8)) },
    broken: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    replay: { type: "string" },
    task: { type: "string" },
  },
});

function positive(name: "minutes" | "workers", least: number): number {
  const value = Number(flags[name]);
  if (Number.isFinite(value) && value >= least) return value;
  process.stderr.write(`--${name} must be a number from ${least} up, not ${JSON.stringify(flags[name])}\n`);
  process.exit(2);
}

async function replay(seed: string): Promise<boolean> {
  const trace = new Trace();
  const logger = createLogger({
    level: "debug",
    format: "journal",
    now: () => 0,
    write: (line) => trace.add(0, "agent", line.trimEnd()),
  });
  const options = { trace, logger, ...(flags.broken ? { wrapStore: journalAfterTheAct } : {}) };
  const count: Count = { paths: 0, cuts: 0, places: 0, violations: [] };
  const cut = await replayCut(seed, campaignPaths(), options);
  if (cut === undefined) await new RandomRuns(campaignPaths()).run(seed, count, options);
  const violations = cut?.violations ?? count.violations.flatMap(({ what }) => what);
  for (const line of trace.lines) process.stdout.write(`${line}\n`);
  process.stdout.write(`trace ${trace.hash()}\n${violations.map((one) => `violation: ${one}\n`).join("")}`);
  return violations.length === 0;
}

function tell({ paths, cuts, places, runs, violations }: Result, seconds: number): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ paths, cuts, places, runs, seconds, seed: flags.seed, violations })}\n`);
    return;
  }
  const perSecond = Math.round(cuts / seconds);
  process.stdout.write(
    `${paths} paths, power cut ${cuts} times (${runs} random runs, seed ${flags.seed}) in ${Math.round(seconds)} s (${perSecond} a second): ${violations.length} violations\n`,
  );
  for (const { path, seed, place, what } of violations.slice(0, SHOWN_MAX)) {
    process.stdout.write(`  ${path}\n    ${what.join("\n    ")}\n`);
    if (place !== undefined) process.stdout.write(`    power cut in ${place}\n`);
    process.stdout.write(`    again: npm run campaign -- --replay '${seed}'${flags.broken ? " --broken" : ""}\n`);
  }
}

async function main(): Promise<boolean> {
  if (flags.task !== undefined) {
    const result = await work(JSON.parse(flags.task) as Task);
    process.send?.(result);
    return true;
  }
  if (flags.replay !== undefined) return await replay(flags.replay);
  const workers = positive("workers", 1);
  const durationMs = positive("minutes", 0) * 60_000;
  const startMs = performance.now();
  const tasks = Array.from({ length: workers }, (_, worker) => ({
    worker,
    workers,
    seed: flags.seed,
    durationMs,
    runsMin: RUNS_MIN,
    broken: flags.broken,
  }));
  const result = await inParallel(import.meta.filename, tasks);
  tell(result, (performance.now() - startMs) / 1000);
  return result.violations.length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
