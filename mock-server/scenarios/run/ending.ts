import { instantMs, type Scenario } from "../file/index.ts";
import type { History } from "./events.ts";
import type { Timeline } from "./timeline.ts";
import { isLimit, judge, type RunRecord } from "./verdict.ts";

/** Time that a run goes on after its end was found, so that a forbidden event can still happen. */
const AFTERWARDS_MS = 600_000;
/** A run without news is judged again after this time, as an expectation may depend on time alone. */
const IDLE_MS = 3_600_000;

/** The facts of a run that its early end depends on. */
export interface EndingPort {
  readonly history: History;
  readonly timeline: Pick<Timeline, "isDone">;
  /** No device is in the middle of an update. */
  atRest(): boolean;
  record(): Promise<RunRecord>;
}

/** The last instant that an expectation is about. */
function lastInstantMs({ expect, starts }: Scenario): number {
  const instants = expect.flatMap(({ after, before, within, never }) => [
    ...[after, before, never?.after, never?.before].flatMap((one) =>
      one === undefined ? [] : [instantMs(one, starts)],
    ),
    ...(within === undefined ? [] : [within]),
  ]);
  return Math.max(0, ...instants);
}

/**
 * Finds the instant at which a run ends before its bound: some time after every expectation is met, or after every
 * deployment is finished and no event has come for that time.
 */
export class Ending {
  readonly #scenario: Scenario;
  readonly #port: EndingPort;
  readonly #afterwardsMs: number;
  readonly #lastInstantMs: number;
  #overAtMs: number | undefined;
  #newsAtMs = 0;
  #hasNews = true;
  #judgedAtMs = 0;

  constructor(scenario: Scenario, port: EndingPort) {
    this.#scenario = scenario;
    this.#port = port;
    this.#afterwardsMs = AFTERWARDS_MS + Math.max(...scenario.fleet.map(({ poll, switched_on }) => poll + switched_on));
    this.#lastInstantMs = lastInstantMs(scenario);
    port.history.watch((event) => {
      if (event.kind === "exchange" && event.request === "poll" && event.status === 204) return;
      this.#newsAtMs = event.atMs;
      this.#hasNews = true;
    });
  }

  /** The instant of the end, by the scenario's clock; `undefined` while there is something to wait for. */
  async overAtMs(): Promise<number | undefined> {
    const { history, timeline } = this.#port;
    if (this.#overAtMs !== undefined || !timeline.isDone || !this.#port.atRest()) return this.#overAtMs;
    const { nowMs } = history;
    if (!this.#hasNews && nowMs - this.#judgedAtMs < IDLE_MS) return undefined;
    this.#hasNews = false;
    this.#judgedAtMs = nowMs;
    const record = await this.#port.record();
    if (this.#allMet(record) || (this.#allFinished(record) && this.#isQuiet(nowMs)))
      this.#overAtMs = nowMs + this.#afterwardsMs;
    return this.#overAtMs;
  }

  #allMet(record: RunRecord): boolean {
    const positive = this.#scenario.expect.filter((expectation) => !isLimit(expectation));
    return positive.length > 0 && positive.every((one) => judge(one, record).every(({ met }) => met));
  }

  #allFinished(record: RunRecord): boolean {
    const { deployments } = this.#scenario;
    const refused = new Set(record.events.flatMap((event) => (event.kind === "refused" ? [event.deployment] : [])));
    const isFinished = (name: string): boolean =>
      refused.has(name) || record.deployments.get(name)?.status === "finished";
    return deployments.length > 0 && deployments.every(({ name }) => isFinished(name));
  }

  #isQuiet(nowMs: number): boolean {
    return nowMs > this.#lastInstantMs && nowMs - this.#newsAtMs > this.#afterwardsMs;
  }
}
