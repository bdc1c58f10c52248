import { fork } from "node:child_process";
import { journalAfterTheAct } from "./broken.ts";
import { type Count, exhaust } from "./exhaustive.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";

/** What each worker is told. */
export interface Task {
  /** This worker is one of so many, from 0. */
  readonly worker: number;
  readonly workers: number;
  readonly seed: string;
  /** After the exhaustive part, go on with random runs until so long after the start. */
  readonly durationMs: number;
  /** Random runs before the exhaustive part. */
  readonly runsMin: number;
  readonly broken: boolean;
}

export interface Result extends Count {
  runs: number;
}

/** Violations that are kept: whoever has seen so many needs no more. */
const VIOLATIONS_MAX = 50;

/** Do one worker's part. */
export async function work({ worker, workers, seed, durationMs, runsMin, broken }: Task): Promise<Result> {
  // Errors are part of the game here, and nobody looks at where they came from.
  Error.stackTraceLimit = 0;
  const startMs = performance.now();
  const paths = campaignPaths();
  const result: Result = { paths: 0, cuts: 0, places: 0, runs: 0, violations: [] };
  const store = broken ? { wrapStore: journalAfterTheAct } : {};
  const random = new RandomRuns(paths);
  const runRandom = async (): Promise<void> => {
    await random.run(`${seed}-${worker}-${++result.runs}`, result, store);
  };
  while (result.runs < runsMin && result.violations.length < VIOLATIONS_MAX / 2) await runRandom();
  const enough = (): boolean => result.violations.length >= VIOLATIONS_MAX;
  for (const [index, path] of paths.entries())
    if (index % workers === worker && !enough()) await exhaust(path, result, { ...store, enough });
  while (!enough() && performance.now() - startMs < durationMs) await runRandom();
  return result;
}

/** Have the parts done in processes of their own, side by side. */
export async function inParallel(program: string, tasks: readonly Task[]): Promise<Result> {
  const results = await Promise.all(
    tasks.map(
      (task) =>
        new Promise<Result>((resolve, reject) => {
          // Short lives make much garbage, and all of it young.
          const execArgv = [...process.execArgv, "--max-semi-space-size=64"];
          const child = fork(program, ["--task", JSON.stringify(task)], { execArgv });
          child.once("message", (message) => resolve(message as Result));
          child.once("error", reject);
          child.once("exit", (code) => reject(new Error(`worker ${task.worker} ended with code ${code}`)));
        }),
    ),
  );
  const total: Result = { paths: 0, cuts: 0, places: 0, runs: 0, violations: [] };
  for (const { paths, cuts, places, runs, violations } of results) {
    total.paths += paths;
    total.cuts += cuts;
    total.places += places;
    total.runs += runs;
    total.violations.push(...violations);
  }
  return total;
}
