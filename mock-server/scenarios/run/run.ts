import type { Scenario } from "../file/index.ts";
import { World, type WorldOptions } from "../world/world.ts";
import { untilNothingIsExpected } from "./ending.ts";
import type { RunResult } from "./result.ts";
import { Timeline } from "./timeline.ts";
import { type RunRecord, verdictsOf } from "./verdict.ts";

/** A run in virtual time. */
export interface SimulatedRun extends Omit<RunResult, "file" | "tookMs"> {
  readonly traceHash: string;
  /** Each call on the doors of the devices and each happening, a line each. */
  readonly trace: readonly string[];
}

/** Run a scenario in virtual time. Rejects if the simulation itself fails. */
export async function runSimulated(scenario: Scenario, options: WorldOptions): Promise<SimulatedRun> {
  const world = await World.open(scenario, options);
  try {
    await world.time.until(untilItsEnd(world));
    const record = await recordOf(world);
    const verdicts = verdictsOf(scenario, record);
    return {
      scenario,
      mode: "simulated",
      passed: verdicts.every(({ met }) => met),
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

/** Resolves when the scenario is over; rejects if something goes wrong that is no part of it. */
function untilItsEnd(world: World): Promise<void> {
  const { scenario, time } = world;
  return new Promise((resolve, reject) => {
    const timeline = new Timeline(world, reject);
    timeline.begin(scenario);
    world.start();
    time.after(scenario.ends.boundMs, resolve);
    if (!scenario.ends.early) return;
    const atRest = (): boolean => [...world.devices.values()].every(({ state }) => state === undefined);
    const record = () => time.hold(recordOf(world));
    untilNothingIsExpected(scenario, { stage: world, timeline, atRest, record }).then(resolve, reject);
  });
}

async function recordOf(world: World): Promise<RunRecord> {
  const deployments = new Map<string, NonNullable<Awaited<ReturnType<World["deployment"]>>>>();
  for (const { name } of world.scenario.deployments) {
    const found = await world.deployment(name);
    if (found !== undefined) deployments.set(name, found);
  }
  return {
    startMs: world.scenario.starts,
    nowMs: world.time.nowMs,
    events: world.history.events,
    devices: new Map(
      [...world.devices].map(([name, device]) => [name, { software: device.software, provides: device.provides }]),
    ),
    deployments,
  };
}
