import { instantMs, type Scenario } from "../file/index.ts";
import type { Stage } from "./stage.ts";
import type { Timeline } from "./timeline.ts";
import { isNever, judge, type RunRecord } from "./verdict.ts";

/** When all has come that was expected, so much more passes: for what must not come. */
const AFTERWARDS_MS = 600_000;
/** How often it is looked whether all has come; and how long at most polls that bring nothing are not looked at. */
const LOOK_MS = 60_000;
const IDLE_MS = 3_600_000;

/** What is to be known of a run for it to end early. */
export interface EndingPort {
  readonly stage: Pick<Stage, "history" | "time">;
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
 * Resolves when the run may end: everything has come that is expected; or nothing more will, as nobody has anything
 * left to do. In either case only after some time more.
 */
export function untilNothingIsExpected(scenario: Scenario, port: EndingPort): Promise<void> {
  const { stage, timeline } = port;
  const afterwardsMs = AFTERWARDS_MS + Math.max(...scenario.fleet.map(({ poll, switched_on }) => poll + switched_on));
  const lastMs = lastInstantMs(scenario);
  const positive = scenario.expect.filter((expectation) => !isNever(expectation));
  let changedAtMs = 0;
  let lookedAtMs = -1;
  stage.history.watch((event) => {
    if (event.kind !== "exchange" || event.request !== "poll" || event.status !== 204) changedAtMs = event.atMs;
  });
  const isOver = async (): Promise<boolean> => {
    const { nowMs } = stage.history;
    if (!timeline.isDone || !port.atRest()) return false;
    if (lookedAtMs >= changedAtMs && nowMs - lookedAtMs < IDLE_MS) return false;
    lookedAtMs = nowMs;
    const record = await port.record();
    if (positive.length > 0 && positive.every((one) => judge(one, record).every(({ met }) => met))) return true;
    const refused = new Set(record.events.flatMap((event) => (event.kind === "refused" ? [event.deployment] : [])));
    const allFinished = scenario.deployments.every(
      ({ name }) => refused.has(name) || record.deployments.get(name)?.status === "finished",
    );
    return scenario.deployments.length > 0 && allFinished && nowMs > lastMs && nowMs - changedAtMs > afterwardsMs;
  };
  return new Promise((resolve, reject) => {
    const again = (): void => {
      stage.time.after(LOOK_MS, () => {
        isOver().then((over) => {
          if (over) stage.time.after(afterwardsMs, resolve);
          else again();
        }, reject);
      });
    };
    again();
  });
}
