import type { Scenario } from "../file/index.ts";
import { World, type WorldOptions } from "../world/world.ts";
import { Ending } from "./ending.ts";
import type { RunEvent } from "./events.ts";
import { recordOf } from "./record.ts";
import type { RunResult } from "./result.ts";
import { Timeline } from "./timeline.ts";
import { verdictsOf } from "./verdict.ts";

/** A run in virtual time. */
export interface SimulatedRun extends Omit<RunResult, "file" | "tookMs"> {
  readonly traceHash: string;
  /** Each call on the doors of the devices and each happening, a line each. */
  readonly trace: readonly string[];
}

/** What follows a run while it goes on. */
export interface Live {
  /** Told of each event as it happens. */
  readonly watch: (event: RunEvent) => void;
  /** Ends the run with its reason. */
  readonly signal: AbortSignal;
}

/** Run a scenario in virtual time. Rejects if the simulation itself fails. */
export async function runSimulated(scenario: Scenario, options: WorldOptions, live?: Live): Promise<SimulatedRun> {
  const world = await World.open(scenario, options);
  try {
    if (live !== undefined) world.history.watch(live.watch);
    await world.time.until(untilItsEnd(world, live?.signal));
    const record = await recordOf(world);
    const verdicts = verdictsOf(scenario, record);
    return {
      scenario,
      mode: "simulated",
      outcome: verdicts.every(({ met }) => met) ? "passed" : "failed",
      verdicts,
      events: [...world.history.events],
      software: new Map([...record.devices].map(([name, { software }]) => [name, software])),
      simulatedMs: record.nowMs,
      traceHash: world.trace.hash(),
      trace: world.trace.lines,
    };
  } finally {
    await world.close();
  }
}

/** How often a run looks whether it has ended. */
const LOOK_MS = 60_000;

/** Resolves when the scenario is over; rejects on errors that the scenario does not provide for. */
function untilItsEnd(world: World, signal?: AbortSignal): Promise<void> {
  const { scenario, time, history } = world;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    const timeline = new Timeline(world, reject);
    timeline.begin(scenario);
    world.start();
    time.after(scenario.ends.boundMs, resolve);
    if (!scenario.ends.early) return;
    const ending = new Ending(scenario, {
      history,
      timeline,
      atRest: () => [...world.devices.values()].every(({ state }) => state === undefined),
      record: () => time.hold(recordOf(world)),
    });
    const lookAgain = (): void => {
      time.after(LOOK_MS, () => {
        ending.overAtMs().then((overAtMs) => {
          if (overAtMs === undefined) lookAgain();
          else time.after(overAtMs - time.nowMs, resolve);
        }, reject);
      });
    };
    lookAgain();
  });
}
