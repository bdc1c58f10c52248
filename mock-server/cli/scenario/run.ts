import type { System } from "@upkeep/shared/system";
import { printableLines } from "@upkeep/shared/text";
import type { Argv } from "yargs";
import type { ParameterValues, RunResult, Scenario } from "../../scenarios/index.ts";
import { type Output, setExitStatus, standardError, standardOutput } from "../../system/environment.ts";
import { CommandError } from "../failure.ts";
import { writeText } from "../writing.ts";
import { artifactReader, type LoadedScenario, loadScenarios } from "./files.ts";
import { REAL_OPTIONS, type RealFlags, realRunner } from "./real.ts";

const REPEAT_MAX = 1000;
const JOBS_MAX = 16;

interface RunFlags extends RealFlags {
  readonly file: readonly string[];
  readonly seed: string | undefined;
  readonly set: readonly string[];
  readonly repeat: number;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly json: boolean;
  readonly junit: string | undefined;
  readonly html: string | undefined;
  readonly timeline: boolean;
}

/** `scenario run FILE…` */
export function addRunCommand(argv: Argv, system: System): Argv {
  return argv.command(
    "run <file..>",
    "Run scenario files (of a directory: all of them), in virtual time or with real programs",
    (builder) =>
      builder
        .positional("file", { type: "string", array: true, demandOption: true, describe: "A scenario, or a directory" })
        .option("seed", { type: "string", requiresArg: true, describe: "Another seed than the file's" })
        .option("set", {
          type: "string",
          array: true,
          nargs: 1,
          requiresArg: true,
          default: [],
          defaultDescription: "the values of the file",
          describe:
            "A parameter's value, as NAME=VALUE; several are possible. The file is run once then, without its table",
        })
        .option("repeat", {
          type: "number",
          requiresArg: true,
          default: 1,
          describe: "Run each this many times, and fail unless every run is the same, byte by byte",
        })
        .option("jobs", {
          type: "number",
          requiresArg: true,
          default: 1,
          describe: "With --real: run this many scenarios at a time",
        })
        .option("shrink", {
          type: "boolean",
          default: false,
          describe: "Of a scenario that fails, print the smallest part that still does",
        })
        .option("json", { type: "boolean", default: false, describe: "Write the results as JSON to standard output" })
        .option("junit", { type: "string", requiresArg: true, describe: "Write the results as JUnit XML to this file" })
        .option("html", {
          type: "string",
          requiresArg: true,
          describe: "Write the results to this file, as a page with the timeline of each as a picture",
        })
        .option("timeline", {
          type: "boolean",
          default: false,
          describe: "Show the timeline of each device also of what went as expected",
        })
        .options(REAL_OPTIONS),
    async (flags) => {
      await run(system, checked(flags));
    },
  );
}

function checked(flags: RunFlags): RunFlags {
  const twice = (["seed", "repeat", "jobs", "junit", "html"] as const).find((name) => Array.isArray(flags[name]));
  if (twice !== undefined) throw new CommandError(`--${twice}: given more than once`);
  if (!Number.isInteger(flags.repeat) || flags.repeat < 1 || flags.repeat > REPEAT_MAX)
    throw new CommandError(`--repeat ${flags.repeat}: must be a whole number from 1 to ${REPEAT_MAX}`);
  if (!Number.isInteger(flags.jobs) || flags.jobs < 1 || flags.jobs > JOBS_MAX)
    throw new CommandError(`--jobs ${flags.jobs}: must be a whole number from 1 to ${JOBS_MAX}`);
  if (flags.jobs > 1 && !flags.real)
    throw new CommandError("--jobs is for --real: in virtual time one scenario takes all of a processor");
  if ((flags.real || flags.attach !== undefined) && (flags.shrink || flags.repeat > 1))
    throw new CommandError("--shrink and --repeat are for virtual time: real runs are never the same");
  if (flags.json && flags.shrink) throw new CommandError("--shrink prints a scenario: not together with --json");
  return flags;
}

async function run(system: System, flags: RunFlags): Promise<void> {
  const { htmlText, jsonText, junitText, personText, summaryText, tableText } = await import(
    "../../scenarios/index.ts"
  );
  const say = (line: string): void => standardError.write(`${printableLines(line)}\n`);
  const stop = new AbortController();
  const playReally = realRunner(system, flags, say, stop.signal);
  const all = await loadScenarios(system.files, flags.file, await parametersIn(flags.set));
  const mode = flags.real ? "real" : flags.attach === undefined ? "simulated" : "attached";
  const loaded = mode === "attached" ? knownToRun(all, say) : all;
  const hasTable = mode === "real" && loaded.length > 1 && !flags.json;
  const progress = new Progress(flags.json ? undefined : standardError, loaded.length, hasTable);
  const finished: (RunResult | undefined)[] = [];
  const endSignal = playReally === undefined ? undefined : stopOnSignals(system, stop);
  await severalAtOnce(loaded, flags.jobs, async (one, index) => {
    if (stop.signal.aborted) return;
    progress.begins(one.file);
    const result = await (playReally?.(seeded(one, flags)) ?? runOne(system, one, flags));
    progress.ended(result);
    finished[index] = result;
    const { colours = false } = standardOutput;
    // The table has a line for each of the others.
    const isTold = !hasTable || flags.timeline || result.outcome === "failed" || result.outcome === "interrupted";
    if (!flags.json && isTold) standardOutput.write(personText(result, { colours, timeline: flags.timeline }));
    if (flags.shrink && result.outcome === "failed") await shrinkOne(system, one, result.scenario);
  });
  const results = finished.filter((result) => result !== undefined);
  const signal = endSignal?.();
  if (flags.json) standardOutput.write(jsonText(results));
  else if (hasTable) standardOutput.write(tableText(results));
  if (!flags.json) standardOutput.write(summaryText(results, standardOutput.isTerminal));
  if (flags.junit !== undefined) await writeText(system.files, "junit", flags.junit, junitText(results));
  if (flags.html !== undefined) await writeText(system.files, "html", flags.html, htmlText(results));
  setExitStatus(signal === undefined ? exitStatusOf(results) : SIGNAL_EXITS[signal]);
}

/** Calls `action` with each, in their order, and has up to `count` under way. Rejects with the first error. */
async function severalAtOnce<T>(
  all: readonly T[],
  count: number,
  action: (one: T, index: number) => Promise<void>,
): Promise<void> {
  const left = all.entries();
  const worker = async (): Promise<void> => {
    for (const [index, one] of left) await action(one, index);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

/** The parameters of `--set NAME=VALUE`; values are read as in the file. */
async function parametersIn(set: readonly string[]): Promise<ParameterValues> {
  const { parseParameter } = await import("../../scenarios/index.ts");
  const given = new Map<string, ParameterValues[string]>();
  for (const one of set) {
    const [name, value] = parseParameter(one) ?? [];
    if (name === undefined || value === undefined)
      throw new CommandError(`--set ${one}: must be NAME=VALUE, with a text, a number, true or false as its value`);
    if (given.has(name)) throw new CommandError(`--set ${name}: given more than once`);
    given.set(name, value);
  }
  return Object.fromEntries(given);
}

/** Exit status when a signal ended the run: what a shell reports for it. */
const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143 } as const;
type EndSignal = keyof typeof SIGNAL_EXITS;
/** Exit status if no scenario was possible: what test harnesses take for "skipped". */
const ALL_SKIPPED_EXIT = 77;

/** Stops the run at the first SIGINT or SIGTERM. @returns Ends that, and tells which one came, if any. */
function stopOnSignals(system: System, stop: AbortController): () => EndSignal | undefined {
  let came: EndSignal | undefined;
  const released = (["SIGINT", "SIGTERM"] as const).map((name) =>
    system.processes.onSignal(name, () => {
      came ??= name;
      stop.abort(new CommandError(`${name}: the run was stopped`));
    }),
  );
  return () => {
    for (const release of released) release();
    return came;
  };
}

function exitStatusOf(results: readonly RunResult[]): number {
  if (results.some(({ outcome }) => outcome === "failed" || outcome === "interrupted")) return 1;
  return results.every(({ outcome }) => outcome === "skipped") ? ALL_SKIPPED_EXIT : 0;
}

/** Of several scenarios, those that can run with a device on the desk; a single one always. */
function knownToRun(all: readonly LoadedScenario[], say: (line: string) => void): readonly LoadedScenario[] {
  const known = all.length === 1 ? all : all.filter(({ scenario }) => scenario.attached);
  if (known.length < all.length)
    say(`${all.length - known.length} scenarios are left out: they are not known to run this way (attached: yes)`);
  return known;
}

function seeded({ scenario, ...one }: LoadedScenario, { seed }: RunFlags): LoadedScenario {
  return { ...one, scenario: seed === undefined ? scenario : { ...scenario, seed } };
}

async function runOne(system: System, { file, scenario }: LoadedScenario, flags: RunFlags): Promise<RunResult> {
  const { runSimulated } = await import("../../scenarios/index.ts");
  const seeded: Scenario = flags.seed === undefined ? scenario : { ...scenario, seed: flags.seed };
  const options = { readArtifact: artifactReader(system.files, file) };
  const beganMs = system.clock.monotonic();
  const first = await runSimulated(seeded, options);
  let tookMs = system.clock.monotonic() - beganMs;
  const notes: string[] = [];
  for (let time = 2; time <= flags.repeat; time++) {
    const againMs = system.clock.monotonic();
    const again = await runSimulated(seeded, options);
    tookMs = Math.min(tookMs, system.clock.monotonic() - againMs);
    if (again.traceHash === first.traceHash) continue;
    notes.push(firstDifference(first.trace, again.trace, time));
    break;
  }
  const { trace: _, ...result } = first;
  return {
    ...result,
    file,
    tookMs,
    ...(notes.length === 0 ? { repeats: flags.repeat } : { outcome: "failed" as const, notes }),
  };
}

/** The first difference of two traces. */
function firstDifference(first: readonly string[], again: readonly string[], time: number): string {
  const at = first.findIndex((line, index) => line !== again[index]);
  const place = at < 0 ? first.length : at;
  return `run ${time} is another one, from line ${place + 1} of the trace on: ${first[place] ?? "its end"} | ${again[place] ?? "its end"}`;
}

async function shrinkOne(system: System, { file, text }: LoadedScenario, failing: Scenario): Promise<void> {
  const { shrink } = await import("../../scenarios/index.ts");
  const smaller = await shrink(text, file, failing.seed, { readArtifact: artifactReader(system.files, file) });
  const { expected, got } = smaller.keeps;
  standardOutput.write(
    printableLines(
      `# The smallest part of ${file} in which this still fails for the same reason (${smaller.tries} runs):\n# expected ${expected}, got ${got}\n${smaller.text}`,
    ),
  );
}

/** Shows how far a run is: on a terminal the scenario that has begun last, elsewhere a line for each that has ended. */
class Progress {
  readonly #output: Output | undefined;
  readonly #count: number;
  readonly #hasLines: boolean;
  #begun = 0;
  #ended = 0;

  /** @param hasLines True if nothing else tells that a scenario has ended. */
  constructor(output: Output | undefined, count: number, hasLines: boolean) {
    this.#output = output;
    this.#count = count;
    this.#hasLines = hasLines;
  }

  begins(file: string): void {
    this.#begun++;
    if (this.#output?.isTerminal) this.#output.write(`\r\x1b[K[${this.#begun}/${this.#count}] ${printableLines(file)}`);
  }

  ended({ outcome, tookMs, file }: RunResult): void {
    this.#ended++;
    if (this.#output?.isTerminal) this.#output.write("\r\x1b[K");
    else if (this.#hasLines && outcome !== "skipped")
      this.#output?.write(
        `[${this.#ended}/${this.#count}] ${outcome} ${(tookMs / 1000).toFixed(1)} s ${printableLines(file)}\n`,
      );
  }
}
