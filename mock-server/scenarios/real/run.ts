import type { System } from "@upkeep/shared/system";
import type { RunMode } from "../../faults/index.ts";
import type { Scenario } from "../file/index.ts";
import { Ending } from "../run/ending.ts";
import { recordOf } from "../run/record.ts";
import type { RunResult } from "../run/result.ts";
import { Timeline } from "../run/timeline.ts";
import { type RunRecord, verdictsOf } from "../run/verdict.ts";
import type { RealOptions } from "./options.ts";
import { notPossible } from "./possible.ts";
import { RealWorld } from "./world.ts";

/** How often it is looked what is to be done next, in milliseconds of this machine. */
const LOOK_MS = 25;
/** A device of which nothing is heard for so long is waiting for something that does not come. */
const QUIET_MS = 15_000;
/** So long a run may take, in milliseconds of this machine. */
const PATIENCE_MS = 180_000;
/** So much of the scenario's time passes while a device tries again what it cannot do. */
const RETRY_MS = 60_000;
/** Rounds of polls without anything new, after which time goes on to whatever is due next. */
const IDLE_ROUNDS = 2;

export interface PlayOptions {
  readonly system: System;
  /** How long it may take, in milliseconds of this machine. Default: three minutes. */
  readonly patienceMs?: number;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

export interface RealRunOptions extends RealOptions, Omit<PlayOptions, "system"> {}

/** Run a scenario with processes, connections and kills. What cannot be done is told, and nothing is run then. */
export async function runReal(
  scenario: Scenario,
  options: RealRunOptions,
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const impossible = notPossible(scenario, "real");
  if (impossible.length > 0) return refused(scenario, "real", impossible);
  const world = await RealWorld.open(scenario, options);
  try {
    return await playToItsEnd(world, "real", options);
  } finally {
    await world.close();
  }
}

/** The result of a scenario that was not run. */
export function refused(
  scenario: Scenario,
  mode: RunMode,
  reasons: readonly string[],
): Omit<RunResult, "file" | "tookMs"> {
  return {
    scenario,
    mode,
    passed: false,
    verdicts: [],
    events: [],
    software: new Map(),
    simulatedMs: 0,
    notes: reasons.map((one) => `not possible here: ${one}`),
  };
}

/** Play what has been put on the stage, and judge it. */
export async function playToItsEnd(
  world: RealWorld,
  mode: RunMode,
  options: PlayOptions,
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const { scenario } = world;
  const run = new Run(world, options);
  const notes = await run.untilItsEnd();
  await world.notice();
  const record = await run.record();
  const verdicts = verdictsOf(scenario, record);
  return {
    scenario,
    mode,
    passed: notes.length === 0 && verdicts.every(({ met }) => met),
    verdicts,
    events: [...world.history.events],
    software: new Map([...record.devices].map(([name, { software }]) => [name, software])),
    simulatedMs: record.nowMs,
    ...(notes.length === 0 ? {} : { notes }),
  };
}

/** Lets the scenario's time go on from event to event: whenever everybody has done what there is to do now. */
class Run {
  readonly #world: RealWorld;
  readonly #options: PlayOptions;
  #failure: { readonly error: unknown } | undefined;
  #idleRounds = 0;
  #eventsBefore = 0;

  constructor(world: RealWorld, options: PlayOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** @returns What went wrong that is no part of the story, in words. */
  async untilItsEnd(): Promise<string[]> {
    const world = this.#world;
    const { scenario } = world;
    const { timers, clock } = this.#options.system;
    const { patienceMs = PATIENCE_MS } = this.#options;
    const timeline = new Timeline(world, (error) => {
      this.#failure ??= { error };
    });
    const ending = new Ending(scenario, {
      history: world.history,
      timeline,
      atRest: () => [...world.devices.values()].every(({ state }) => state === undefined),
      record: () => this.record(),
    });
    timeline.begin(scenario);
    world.start();
    const beganMs = clock.monotonic();
    while (world.time.nowMs < scenario.ends.boundMs) {
      if (!world.fire()) await timers.sleep(LOOK_MS);
      this.#options.signal?.throwIfAborted();
      const error = this.#failure?.error ?? world.broken;
      if (error !== undefined) throw error instanceof Error ? error : new Error(String(error));
      if (clock.monotonic() - beganMs > patienceMs) {
        return [`it was given up after ${Math.round(patienceMs / 1000)} s: real programs take their time`];
      }
      if (!world.isSettled(QUIET_MS)) continue;
      const overAtMs = scenario.ends.early ? await ending.overAtMs() : undefined;
      if (overAtMs !== undefined && world.time.nowMs >= overAtMs) return [];
      await this.#goOn(overAtMs);
    }
    return [];
  }

  /** Moves time by one round of polls, or by all of them up to the next due instant if rounds bring nothing new. */
  async #goOn(overAtMs: number | undefined): Promise<void> {
    const world = this.#world;
    const endMs = overAtMs ?? world.scenario.ends.boundMs;
    const news = world.history.events.slice(this.#eventsBefore).some(isNews);
    this.#eventsBefore = world.history.events.length;
    this.#idleRounds = news ? 0 : this.#idleRounds + 1;
    const next = Math.min(world.nextMs ?? endMs, endMs);
    const atRest = [...world.devices.values()].every((device) => device.isAtRest);
    const poll = Math.min(...world.scenario.fleet.map((row) => row.poll));
    const round = world.time.nowMs + (atRest ? poll : Math.min(poll, RETRY_MS));
    const far = atRest && overAtMs === undefined && this.#idleRounds >= IDLE_ROUNDS;
    await world.moveTo(far ? next : Math.min(round, next));
  }

  async record(): Promise<RunRecord> {
    for (const device of this.#world.devices.values()) await device.look();
    return await recordOf(this.#world);
  }
}

/** Requests that come all the time, lines of logs and faults do not make a difference. */
function isNews(event: RealWorld["history"]["events"][number]): boolean {
  if (event.kind === "exchange")
    return !(event.request === "poll" || event.request === "inventory" || event.request === "auth");
  return event.kind !== "line" && event.kind !== "fault";
}
