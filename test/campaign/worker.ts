// One worker of `npm run campaign`, in a process of its own: gets its task as its argument, answers with a message.
import { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import { journalAfterTheAct } from "./broken.ts";
import { exhaust, newCount } from "./exhaustive.ts";
import { campaignPaths } from "./paths.ts";
import { RandomRuns } from "./random.ts";
import type { Result, Task } from "./workers.ts";

/** Violations that are kept; more of them tell nothing new. */
const VIOLATIONS_MAX = 50;

/** Paths whose recoveries are cut again however short the campaign is to be. */
const TWICE_ALWAYS: ReadonlySet<string> = new Set(["no reboot: success", "no reboot: ArtifactInstall fails"]);

/** Of the time that the exhaustive part leaves: cutting recoveries again costs several times what a random cut costs. */
const TWICE_SHARE = 0.2;

/** Another path comes first with another seed: what time does not suffice for is not always the same. */
function startingAt<T>(all: readonly T[], first: number): readonly T[] {
  return [...all.slice(first), ...all.slice(0, first)];
}

/** Do one worker's part. */
async function work({ worker, workers, seed, durationMs, runsMin, broken }: Task): Promise<Result> {
  // Errors are expected here, and their stacks are not used.
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
  for (const path of own) {
    const oneFate = path.costly === true && durationMs === 0;
    if (!wrong()) await exhaust(path, result, { ...store, enough: wrong, depth: 1, oneFate });
  }
  const exhaustedMs = performance.now() - startMs;
  const until = (endMs: number) => (): boolean => wrong() || performance.now() - startMs >= endMs;
  const twiceEnds = until(exhaustedMs + (durationMs - exhaustedMs) * TWICE_SHARE);
  const end = until(durationMs);
  for (const path of startingAt(own, new SeededRandom(seed).integer(own.length))) {
    const stop = TWICE_ALWAYS.has(path.name) ? wrong : twiceEnds;
    if (stop()) continue;
    const { paths: before } = result;
    await exhaust(path, result, { ...store, enough: stop, depth: 2 });
    result.twice += result.paths - before;
    result.paths = before;
  }
  while (!end()) await runRandom();
  const { user, system } = process.cpuUsage();
  return { ...result, cpuMs: (user + system) / 1000 };
}

process.send?.(await work(JSON.parse(process.argv[2] ?? "") as Task));
