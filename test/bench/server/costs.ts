import { availableParallelism } from "node:os";
import type { Report } from "./report.ts";

/** Processor time so far of what takes part, in milliseconds. */
type Clocks<Part extends string> = Readonly<Record<Part, () => number>>;

/** What requests cost in processor time, part by part: it shows whether the processors are the limit. */
export class Costs<Part extends string> {
  readonly #clocks: Clocks<Part>;
  readonly #parts: readonly Part[];
  readonly #sent: () => number;
  readonly #known = new Map<string, { requests: number; seconds: number; ms: Record<Part, number> }>();

  /** @param sent The number of requests so far. */
  constructor(clocks: Clocks<Part>, sent: () => number) {
    this.#clocks = clocks;
    this.#parts = Object.keys(clocks) as Part[];
    this.#sent = sent;
  }

  /** Runs a measurement, and adds what it costs to that of the others of the same name. */
  async of(name: string, measure: () => Promise<number>): Promise<number> {
    const before = this.#now();
    const sentBefore = this.#sent();
    const perSecond = await measure();
    const after = this.#now();
    const requests = this.#sent() - sentBefore;
    const known = this.#known.get(name) ?? { requests: 0, seconds: 0, ms: this.#each(() => 0) };
    this.#known.set(name, {
      requests: known.requests + requests,
      seconds: known.seconds + requests / perSecond,
      ms: this.#each((part) => known.ms[part] + after[part] - before[part]),
    });
    return perSecond;
  }

  say(report: Report, name: string): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    const { requests, seconds, ms } = known;
    const perRequest = this.#parts.map((part) => `${(ms[part] / requests).toFixed(2)} ms ${part}`);
    const all = this.#parts.reduce((sum, part) => sum + ms[part], 0);
    const used = `${(all / 1000 / seconds).toFixed(1)} of ${availableParallelism()} processors`;
    report.say(`  processor time of one: ${perRequest.join(", ")}`, "", used);
  }

  /** @returns Milliseconds per request. */
  toJSON(): Record<string, Record<Part, number>> {
    return Object.fromEntries(
      [...this.#known].map(([name, { requests, ms }]) => [name, this.#each((part) => ms[part] / requests)]),
    );
  }

  #now(): Record<Part, number> {
    return this.#each((part) => this.#clocks[part]());
  }

  #each(value: (part: Part) => number): Record<Part, number> {
    return Object.fromEntries(this.#parts.map((part) => [part, value(part)])) as Record<Part, number>;
  }
}
