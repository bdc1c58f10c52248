// A process that takes inputs by their seeds, tries each on all ways and tells what became of it.
import { readFileSync } from "node:fs";
import { CPU_MS_MAX, memoryBytesMax } from "./limits.ts";
import { declaredWindow, forgetBaseline, watchMemory } from "./memory.ts";
import { PLANTED } from "./planted.ts";
import { type Outcome, openWays, WAYS, type WayName } from "./ways.ts";

/** What the process is told to do next. */
export interface Order {
  readonly seed: string;
  readonly what: string;
  /** File with the input: what making it took is not to be measured here. */
  readonly path: string;
  readonly ways: readonly WayName[];
}

/** How one way did. */
export interface Measured {
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** What became of one input. */
export interface Report {
  readonly seed: string;
  readonly what: string;
  readonly accepted: boolean;
  readonly measured: Readonly<Partial<Record<WayName, Measured>>>;
  readonly violations: readonly string[];
}

const MIB = 1024 * 1024;
const collectGarbage = (globalThis as { gc?: () => void }).gc ?? (() => undefined);

function describe(outcome: Outcome): string {
  return "accepted" in outcome ? "accepts it" : `refuses it (${outcome.refused.slice(0, 200)})`;
}

function violationsOf(outcomes: ReadonlyMap<WayName, Outcome>): string[] {
  const [first, ...others] = [...outcomes];
  if (first === undefined) return [];
  return others
    .filter(([, outcome]) => "accepted" in outcome !== "accepted" in first[1])
    .map(([name, outcome]) => `${first[0]} ${describe(first[1])}, ${name} ${describe(outcome)}`);
}

async function start(planted: string, warming: readonly string[]): Promise<void> {
  const { ways, close } = await openWays(PLANTED[planted] ?? {});

  const run = async ({ seed, what, path, ways: wanted }: Order): Promise<Report> => {
    const input = { seed, what, bytes: readFileSync(path) };
    const outcomes = new Map<WayName, Outcome>();
    const measured: Partial<Record<WayName, Measured>> = {};
    const violations: string[] = [];
    const windowBytes = declaredWindow(input.bytes);
    for (const name of wanted) {
      const memoryMax = memoryBytesMax(name, windowBytes, input.bytes.length);
      collectGarbage();
      const peak = watchMemory();
      const cpu = process.cpuUsage();
      try {
        outcomes.set(name, await ways[name](input));
      } catch (error) {
        violations.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      const { user, system } = process.cpuUsage(cpu);
      const cpuMs = (user + system) / 1000;
      const memoryBytes = peak();
      measured[name] = { cpuMs, memoryBytes };
      if (cpuMs > CPU_MS_MAX) violations.push(`${name}: it took ${Math.round(cpuMs)} ms of processor time`);
      if (memoryBytes > memoryMax) {
        const figures = `${Math.round(memoryBytes / MIB)} MiB, the bound is ${Math.round(memoryMax / MIB)} MiB`;
        violations.push(`${name}: it took ${figures}`);
      }
    }
    violations.push(...violationsOf(outcomes));
    const accepted = [...outcomes.values()].some((outcome) => "accepted" in outcome);
    return { seed, what: input.what, accepted, measured, violations };
  };

  process.on("message", (order: Order) => {
    run(order).then(
      (report) => process.send?.(report),
      (error: unknown) => {
        process.stderr.write(`fuzz worker: ${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(1);
      },
    );
  });
  process.on("disconnect", () => void close().finally(() => process.exit(0)));
  // What is done for the first time costs more than ever after, and stays in memory.
  for (const path of warming) await run({ seed: path, what: "in order", path, ways: WAYS });
  forgetBaseline();
  process.send?.("ready");
}

await start(process.argv[2] ?? "none", process.argv.slice(3));
