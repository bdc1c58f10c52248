import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type Count, newCount } from "./exhaustive.ts";

/** What each worker is told. */
export interface Task {
  /** The number of this worker, from 0. */
  readonly worker: number;
  readonly workers: number;
  readonly seed: string;
  /**
   * So long after the start the campaign ends. Of what the exhaustive part leaves of it a fifth goes to cutting each
   * recovery of each path again, the rest to random runs.
   */
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

/** The worker as one plain file: compiled while it is loaded, with each function's name kept, it takes half as long again. */
async function compiledWorker(folder: string): Promise<string> {
  const outfile = join(folder, "worker.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "worker.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    // Libraries that are CommonJS require Node's modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "error",
  });
  return outfile;
}

function inProcess(program: string, task: Task): Promise<Result> {
  return new Promise((resolve, reject) => {
    // Short lives make much garbage, and all of it young.
    const child = fork(program, [JSON.stringify(task)], { execArgv: ["--max-semi-space-size=16"] });
    child.once("message", (message) => resolve(message as Result));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`worker ${task.worker} ended with code ${code}`)));
  });
}

/** Have the parts done in processes of their own, side by side. */
export async function inParallel(tasks: readonly Task[]): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "upkeep-campaign-"));
  const results = await compiledWorker(folder)
    .then((file) => Promise.all(tasks.map((task) => inProcess(file, task))))
    .finally(() => rm(folder, { recursive: true }));
  const total: Result = { ...newCount(), runs: 0, twice: 0, cpuMs: 0 };
  for (const { violations, ...counts } of results) {
    total.violations.push(...violations);
    for (const [name, value] of Object.entries(counts)) total[name as keyof typeof counts] += value;
  }
  return total;
}
