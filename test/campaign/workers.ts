import { fork } from "node:child_process";
import { journalAfterTheAct } from "./broken.ts";
import { type Count, exhaust, newCount } from "./exhaustive.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";

/** What each worker is told. */
export interface Task {
  /** This worker is one of so many, from 0. */
  readonly worker: number;
  readonly workers: number;
  readonly seed: string;
  /** After the exhaustive part, cut each recovery of each path again, and go on with random runs, until so long after the start. */
  readonly durationMs: number;
  /** Random runs before the exhaustive part. */
  readonly runsMin: number;
  readonly broken: boolean;
}

export interface Result extends Count {
  /** Random runs. */
  runs: number;
  /** Paths of which also every recovery of every cut was cut again. */
  twice: number;
  /** Processor time of the workers, user and system. */
  cpuMs: number;
}

/** Violations that are kept: whoever has seen so many needs no more. */
const VIOLATIONS_MAX = 50;

/** Paths whose recoveries are cut again however short the campaign is to be. */
const TWICE_ALWAYS: ReadonlySet<string> = new Set(["no reboot: success", "no reboot: ArtifactInstall fails"]);

/** Do one worker's part. */
export async function work({ worker, workers, seed, durationMs, runsMin, broken }: Task): Promise<Result> {
  // Errors are part of the game here, and nobody looks at where they came from.
  Error.stackTraceLimit = 0;
  const startMs = performance.now();
  const paths = campaignPaths();
  const result: Result = { ...newCount(), runs: 0, twice: 0, cpuMs: 0 };
  const store = broken ? { wrapStore: journalAfterTheAct } : {};
  const random = new RandomRuns(paths);
  const runRandom = async (): Promise<void> => {
    await random.run(`${seed}-${worker}-${++result.runs}`, result, store);
  };
  while (result.runs < runsMin && result.violations.length < VIOLATIONS_MAX / 2) await runRandom();
  const wrong = (): boolean => result.violations.length >= VIOLATIONS_MAX;
  const own = paths.filter((_, index) => index % workers === worker);
  for (const path of own) if (!wrong()) await exhaust(path, result, { ...store, enough: wrong, depth: 1 });
  const late = (): boolean => performance.now() - startMs >= durationMs;
  const enough = (): boolean => wrong() || late();
  for (const path of own) {
    // Short ones always.
    const stop = TWICE_ALWAYS.has(path.name) ? wrong : enough;
    if (stop()) continue;
    const { paths: before } = result;
    await exhaust(path, result, { ...store, enough: stop, depth: 2 });
    result.twice += result.paths - before;
    result.paths = before;
  }
  while (!enough()) await runRandom();
  const { user, system } = process.cpuUsage();
  return { ...result, cpuMs: (user + system) / 1000 };
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
  const total: Result = { ...newCount(), runs: 0, twice: 0, cpuMs: 0 };
  for (const { violations, ...counts } of results) {
    total.violations.push(...violations);
    for (const [name, value] of Object.entries(counts)) total[name as keyof typeof counts] += value;
  }
  return total;
}
