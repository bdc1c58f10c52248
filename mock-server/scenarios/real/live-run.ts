import { isSystemError, type System } from "@upkeep/shared/system";
import type { RunMode } from "../../faults/index.ts";
import type { Scenario } from "../file/index.ts";
import { Ending } from "../run/ending.ts";
import { recordOf } from "../run/record.ts";
import type { Outcome, RunResult } from "../run/result.ts";
import { Timeline } from "../run/timeline.ts";
import { type RunRecord, type Verdict, verdictsOf } from "../run/verdict.ts";
import type { RealOptions } from "./options.ts";
import { RealWorld } from "./real-world.ts";
import { StageError } from "./server-process.ts";
import { unsupportedIn } from "./unsupported.ts";

/** Pause between two checks for the next step, in milliseconds of this machine. */
const LOOK_MS = 10;
/** A device without a sign of life for this time counts as waiting. */
const QUIET_MS = 15_000;
/** A run ends if the scenario's time stands still for so long, in milliseconds of this machine. */
const PATIENCE_MS = 600_000;
/** Step of the scenario's time while a device retries; after {@link RETRY_STEPS} steps without news, each is twice as long as the one before. */
const RETRY_MS = 60_000;
const RETRY_STEPS = 40;
/** Rounds of polls without news, after which time jumps to the next due instant. */
const IDLE_ROUNDS = 2;

export interface LiveRunOptions {
  readonly system: System;
  /** How long the scenario's time may stand still, in milliseconds of this machine. Default: ten minutes. */
  readonly patienceMs?: number;
  /** Stops the run: the result has what happened so far, and the signal's reason as a note. */
  readonly signal?: AbortSignal;
}

export interface RealRunOptions extends RealOptions, Omit<LiveRunOptions, "system"> {}

/** Runs a scenario with real processes and connections. If parts are unsupported, the result lists them and nothing runs. */
export async function runReal(
  scenario: Scenario,
  options: RealRunOptions,
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const impossible = unsupportedIn(scenario, "real");
  if (impossible.length > 0) return refused(scenario, "real", impossible);
  try {
    const world = await RealWorld.open(scenario, options);
    try {
      return await runToEnd(world, "real", options);
    } finally {
      await world.close();
    }
  } catch (error) {
    // The other scenarios of the command are run all the same.
    if (error instanceof StageError || isSystemError(error))
      return notRun(scenario, "real", "failed", [failureNote(error)]);
    throw error;
  }
}

/** The result of a scenario that is not possible in this mode. */
export function refused(
  scenario: Scenario,
  mode: RunMode,
  reasons: readonly string[],
): Omit<RunResult, "file" | "tookMs"> {
  const notes = reasons.map((one) => `not possible here: ${one}`);
  return notRun(scenario, mode, "skipped", notes);
}

function notRun(
  scenario: Scenario,
  mode: RunMode,
  outcome: Outcome,
  notes: readonly string[],
): Omit<RunResult, "file" | "tookMs"> {
  return { scenario, mode, outcome, verdicts: [], events: [], software: new Map(), simulatedMs: 0, notes };
}

/** Runs a prepared world to its end, and judges the expectations. */
export async function runToEnd(
  world: RealWorld,
  mode: RunMode,
  options: LiveRunOptions,
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const { scenario } = world;
  const run = new Run(world, options);
  const notes = await run.untilItsEnd();
  await world.refresh();
  const record = await run.record();
  const verdicts = verdictsOf(scenario, record);
  return {
    scenario,
    mode,
    outcome: outcomeOf(notes, verdicts, options.signal),
    verdicts,
    events: [...world.history.events],
    software: new Map([...record.devices].map(([name, { software }]) => [name, software])),
    simulatedMs: record.nowMs,
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function outcomeOf(notes: readonly string[], verdicts: readonly Verdict[], signal: AbortSignal | undefined): Outcome {
  if (signal?.aborted) return "interrupted";
  return notes.length === 0 && verdicts.every(({ met }) => met) ? "passed" : "failed";
}

/** Advances the scenario's time from event to event, whenever all devices are settled. */
class Run {
  readonly #world: RealWorld;
  readonly #options: LiveRunOptions;
  #failure: { readonly error: unknown } | undefined;
  #idleRounds = 0;
  #eventsBefore = 0;

  constructor(world: RealWorld, options: LiveRunOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** @returns Notes on problems that the scenario does not provide for. */
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
    let moved = { toMs: world.time.nowMs, atMs: clock.monotonic() };
    while (world.time.nowMs < scenario.ends.boundMs) {
      await timers.sleep(world.fire() ? 0 : LOOK_MS);
      if (this.#options.signal?.aborted) return [messageOf(this.#options.signal.reason)];
      const error = this.#failure?.error ?? world.broken;
      if (error !== undefined) return [failureNote(error)];
      if (world.time.nowMs !== moved.toMs) moved = { toMs: world.time.nowMs, atMs: clock.monotonic() };
      if (clock.monotonic() - moved.atMs > patienceMs) {
        return [`it was given up: the scenario's time stood still for ${Math.round(patienceMs / 1000)} s`];
      }
      if (timeline.isActing || !world.isSettled(QUIET_MS)) continue;
      const overAtMs = scenario.ends.early ? await ending.overAtMs() : undefined;
      if (overAtMs !== undefined && world.time.nowMs >= overAtMs) return [];
      await this.#goOn(overAtMs);
    }
    return [];
  }

  get #retryStepMs(): number {
    return RETRY_MS * 2 ** Math.max(0, this.#idleRounds - RETRY_STEPS);
  }

  /** Moves time to the next due instant. */
  async #goOn(overAtMs: number | undefined): Promise<void> {
    const world = this.#world;
    const endMs = overAtMs ?? world.scenario.ends.boundMs;
    if (world.knowsTimers) await world.moveTo(Math.min(world.nextMs ?? endMs, endMs));
    else await this.#nextRound(endMs, overAtMs !== undefined);
  }

  /**
   * The timers of an attached device are not known: moves time by one round of polls, or by all of them up to the next
   * due instant if rounds bring nothing new.
   */
  async #nextRound(endMs: number, isEnding: boolean): Promise<void> {
    const world = this.#world;
    const hasNews = world.history.events.slice(this.#eventsBefore).some(isNews);
    this.#eventsBefore = world.history.events.length;
    this.#idleRounds = hasNews ? 0 : this.#idleRounds + 1;
    const next = Math.min(world.nextMs ?? endMs, endMs);
    const atRest = [...world.devices.values()].every((device) => device.isAtRest);
    const poll = Math.min(...world.scenario.fleet.map((row) => row.poll));
    const round = world.time.nowMs + (atRest ? poll : Math.min(poll, this.#retryStepMs));
    const far = atRest && !isEnding && this.#idleRounds >= IDLE_ROUNDS;
    await world.moveTo(far ? next : Math.min(round, next));
  }

  async record(): Promise<RunRecord> {
    for (const device of this.#world.devices.values()) await device.look();
    return await recordOf(this.#world);
  }
}

/** @throws The error, if it is a bug of the runner. */
function failureNote(error: unknown): string {
  if (error instanceof StageError || isSystemError(error)) return `the run itself failed: ${error.message}`;
  throw error instanceof Error ? error : new Error(String(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Periodic and failed requests, log lines and faults are no news. */
function isNews(event: RealWorld["history"]["events"][number]): boolean {
  if (event.kind === "exchange")
    return (event.status ?? 500) < 400 && !["poll", "inventory", "auth"].includes(event.request);
  return event.kind !== "line" && event.kind !== "fault";
}
