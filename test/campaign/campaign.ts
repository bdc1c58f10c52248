// npm run campaign [-- --minutes N] [--seed SEED] [--workers N] [--broken] [--json]
// npm run campaign -- --replay SEED: one random run again, event by event.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createLogger } from "@upkeep/shared/logging";
import { Trace } from "../../mock-server/scenarios/simulation/index.ts";
import { journalAfterTheAct } from "./broken.ts";
import { newCount, replayCut } from "./exhaustive.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";
import { inParallel, type Result } from "./workers.ts";

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
  const count = newCount();
  const cut = await replayCut(seed, campaignPaths(), options);
  if (cut === undefined) await new RandomRuns(campaignPaths()).run(seed, count, options);
  const violations = cut?.violations ?? count.violations.flatMap(({ what }) => what);
  for (const line of trace.lines) process.stdout.write(`${line}\n`);
  process.stdout.write(`trace ${trace.hash()}\n${violations.map((one) => `violation: ${one}\n`).join("")}`);
  return violations.length === 0;
}

function tell(result: Result, seconds: number): void {
  const { paths, twice, cuts, secondCuts, instants, worlds, runs, violations } = result;
  const cpuSeconds = result.cpuMs / 1000;
  if (flags.json) {
    const { cpuMs, ...numbers } = result;
    process.stdout.write(`${JSON.stringify({ ...numbers, seconds, cpuSeconds, seed: flags.seed })}\n`);
    return;
  }
  const say = (line: string): boolean => process.stdout.write(`${line}\n`);
  say(`${paths} paths, each cut in every instant and every way; of ${twice} also every recovery; ${runs} random runs`);
  say(`${instants} instants before and after calls on the door leave ${worlds} different worlds`);
  say(
    `power cut ${cuts} times (${secondCuts} in the recovery from another cut) in ${Math.round(seconds)} s:` +
      ` ${Math.round(cuts / seconds)} a second, ${((1000 * cpuSeconds) / cuts).toFixed(2)} ms of processor time each`,
  );
  say(`${violations.length} violations (seed ${flags.seed})`);
  for (const { path, seed, places = [], what } of violations.slice(0, SHOWN_MAX)) {
    say(`  ${path}\n    ${what.join("\n    ")}`);
    for (const place of places) say(`    power cut in ${place}`);
    say(`    again: npm run campaign -- --replay '${seed}'${flags.broken ? " --broken" : ""}`);
  }
}

async function main(): Promise<boolean> {
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
  const result = await inParallel(tasks);
  tell(result, (performance.now() - startMs) / 1000);
  return result.violations.length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
