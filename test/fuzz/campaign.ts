import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Input, inputOf, keptInputs, PLAIN } from "./inputs.ts";
import { HANGS_AFTER_MS } from "./limits.ts";
import { WAYS, type WayName } from "./ways.ts";
import type { Measured, Order, Report } from "./worker.ts";

export interface CampaignOptions {
  readonly seed: string;
  /** No new input begins after this time. */
  readonly durationMs: number;
  /** Ends after so many inputs, however much time is left. */
  readonly inputsMax?: number;
  /** Only the input of this seed. */
  readonly only?: string;
  readonly ways?: readonly WayName[];
  readonly workers?: number;
  /** Directory for inputs that broke a rule. */
  readonly save?: string;
  /** A fault to be found: see planted.ts. */
  readonly planted?: string;
  /** Default: {@link HANGS_AFTER_MS}. */
  readonly hangsAfterMs?: number;
  readonly onReport?: (done: number) => void;
}

export interface Violation {
  readonly seed: string;
  readonly what: string;
  readonly message: string;
}

/** The most that one input took, and which one. */
export interface Worst {
  /** Milliseconds. */
  readonly cpu: Peak;
  /** Bytes. */
  readonly memory: Peak;
}

interface Peak {
  readonly value: number;
  readonly seed: string;
}

const NOTHING: Peak = { value: 0, seed: "" };

export interface CampaignResult {
  readonly inputs: number;
  readonly accepted: number;
  readonly seconds: number;
  readonly worst: ReadonlyMap<WayName, Worst>;
  readonly violations: readonly Violation[];
}

/** Seeds of all inputs in their order: those that showed a fault first, then new ones. */
function* seedsOf({ seed, only }: CampaignOptions): Generator<string> {
  if (only !== undefined) {
    yield only;
    return;
  }
  for (const kept of keptInputs()) yield kept.seed;
  for (let index = 0; ; index++) yield `${seed}:${index}`;
}

/** A worker process; it is replaced when it had to be killed. */
class Worker {
  readonly #folder = mkdtempSync(join(tmpdir(), "upkeep-fuzz-inputs-"));
  readonly #planted: string;
  readonly #hangsAfterMs: number;
  #child: ChildProcess | undefined;

  constructor({ planted = "none", hangsAfterMs = HANGS_AFTER_MS }: CampaignOptions) {
    this.#planted = planted;
    this.#hangsAfterMs = hangsAfterMs;
  }

  /** @returns What became of it; a violation if the process hung or died. */
  async run(input: Input, ways: readonly WayName[]): Promise<Report> {
    const { seed, what } = input;
    const order: Order = { seed, what, path: join(this.#folder, "input.mender"), ways };
    writeFileSync(order.path, input.bytes);
    this.#child ??= await this.#start();
    const child = this.#child;
    const answer = await new Promise<Report | string>((resolve) => {
      const hung = setTimeout(
        () => resolve(`it hangs: no end after ${this.#hangsAfterMs / 1000} s`),
        this.#hangsAfterMs,
      );
      const done = (value: Report | string): void => {
        clearTimeout(hung);
        child.off("message", onMessage).off("exit", onExit);
        resolve(value);
      };
      const onMessage = (message: unknown): void => done(message as Report);
      const onExit = (code: number | null, signal: string | null): void =>
        done(`the process ended with ${signal ?? code}`);
      child.on("message", onMessage).on("exit", onExit);
      child.send(order);
    });
    if (typeof answer !== "string") return answer;
    this.stop("SIGKILL");
    return { seed, what, accepted: false, measured: {}, violations: [answer] };
  }

  /** End it for good. */
  end(): void {
    this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** Without a signal it ends by itself, tidying up. */
  stop(signal?: "SIGKILL"): void {
    if (signal === undefined) this.#child?.disconnect();
    else this.#child?.kill(signal);
    this.#child = undefined;
  }

  async #start(): Promise<ChildProcess> {
    const warming = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const path = join(this.#folder, `warm-${index}.mender`);
        writeFileSync(path, (await inputOf(`${PLAIN}${index}`)).bytes);
        return path;
      }),
    );
    // Little garbage is left lying about, so that what is measured is what is needed.
    const execArgv = ["--import", import.meta.resolve("tsx"), "--expose-gc", "--max-semi-space-size=1"];
    const child = fork(join(import.meta.dirname, "worker.ts"), [this.#planted, ...warming], { execArgv });
    return new Promise((resolve, reject) => {
      child.once("message", () => resolve(child));
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`the fuzz worker ended with ${signal ?? code}`)));
    });
  }
}

async function find(seed: string): Promise<Input> {
  return keptInputs().find((kept) => kept.seed === seed) ?? (await inputOf(seed));
}

function saved({ seed, bytes }: Input, directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${seed.replaceAll(/[^\w.-]/g, "-")}.mender`), bytes);
}

/** Try inputs on all ways into the programs until the time is over. */
export async function fuzz(options: CampaignOptions): Promise<CampaignResult> {
  const ways = options.ways ?? WAYS;
  const worst = new Map<WayName, Worst>();
  const violations: Violation[] = [];
  let inputs = 0;
  let accepted = 0;
  const seeds = seedsOf(options);
  const startedMs = performance.now();
  const isOver = (): boolean =>
    performance.now() - startedMs > options.durationMs || inputs >= (options.inputsMax ?? Number.POSITIVE_INFINITY);

  const take = (report: Report): void => {
    inputs += 1;
    if (report.accepted) accepted += 1;
    for (const [name, { cpuMs, memoryBytes }] of Object.entries(report.measured) as [WayName, Measured][]) {
      const { cpu, memory } = worst.get(name) ?? { cpu: NOTHING, memory: NOTHING };
      worst.set(name, {
        cpu: cpuMs > cpu.value ? { value: cpuMs, seed: report.seed } : cpu,
        memory: memoryBytes > memory.value ? { value: memoryBytes, seed: report.seed } : memory,
      });
    }
    for (const message of report.violations) violations.push({ seed: report.seed, what: report.what, message });
    options.onReport?.(inputs);
  };

  const work = async (): Promise<void> => {
    const worker = new Worker(options);
    try {
      for (;;) {
        if (isOver()) return;
        const next = seeds.next();
        if (next.done === true) return;
        const input = await find(next.value);
        const report = await worker.run(input, ways);
        take(report);
        if (report.violations.length > 0 && options.save !== undefined) saved(input, options.save);
      }
    } finally {
      worker.end();
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? 1 }, work));
  return { inputs, accepted, seconds: (performance.now() - startedMs) / 1000, worst, violations };
}
