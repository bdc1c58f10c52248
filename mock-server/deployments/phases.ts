import { DomainError, invalid } from "../errors.ts";
import type { PhaseRecord } from "../storage/index.ts";

/** A requested phase of a rollout. */
export interface NewPhase {
  /** Percent of the devices; optional for the last phase, which takes all remaining devices in any case. */
  readonly batchSize?: number;
  /** Optional for the first phase, which then begins at once. */
  readonly startMs?: number;
  /**
   * Percent of its places that must succeed before the next phase opens. The deployment is paused when that has become
   * impossible.
   */
  readonly successThreshold?: number;
  /** The percentage of failed places at which the deployment is paused. */
  readonly errorThreshold?: number;
}

export type PhaseState =
  /** Its start lies in the future. */
  | "scheduled"
  /** It should have begun, but an earlier phase has not reached its success threshold. */
  | "waiting"
  | "active"
  /** A later one is active, or the deployment is finished. */
  | "finished";

/** A phase with its size in devices. */
export interface PlannedPhase {
  readonly batchPercent: number;
  readonly places: number;
  readonly startMs: number | null;
  readonly successPercent: number | null;
  readonly errorPercent: number | null;
}

const PHASES_MAX = 100;

/**
 * The sizes of phases in devices. Rounding loses no device, because the last phase takes all that remain.
 * @param deviceCount The number of devices now.
 * @param openEnded More devices may come later: then a single phase may be empty now.
 * @throws DomainError (invalid)
 */
export function planPhases(phases: readonly NewPhase[], deviceCount: number, openEnded: boolean): PlannedPhase[] {
  checkPhases(phases);
  const last = phases.length - 1;
  let percentLeft = 100;
  let placesLeft = deviceCount;
  return phases.map((phase, index) => {
    const batchPercent = index === last ? percentLeft : (phase.batchSize ?? 0);
    const places = index === last ? placesLeft : Math.floor((batchPercent * deviceCount) / 100);
    if (places === 0 && !(openEnded && last === 0)) {
      throw new DomainError("empty-phase", { number: index + 1 });
    }
    percentLeft -= batchPercent;
    placesLeft -= places;
    return {
      batchPercent,
      places,
      startMs: phase.startMs ?? null,
      successPercent: phase.successThreshold ?? null,
      errorPercent: phase.errorThreshold ?? null,
    };
  });
}

function checkPhases(phases: readonly NewPhase[]): void {
  const last = phases.length - 1;
  if (phases.length > PHASES_MAX) throw invalid(`phases: at most ${PHASES_MAX}, not ${phases.length}`);
  let sum = 0;
  let latestMs = Number.NEGATIVE_INFINITY;
  for (const [index, phase] of phases.entries()) {
    const name = `phases.${index}`;
    const { batchSize, startMs, successThreshold, errorThreshold } = phase;
    if (batchSize === undefined && index < last) throw invalid(`${name}.batch_size: cannot be blank`);
    if (startMs === undefined && index > 0) throw invalid(`${name}.start_ts: cannot be blank`);
    checkPercent(`${name}.batch_size`, batchSize);
    checkPercent(`${name}.success_threshold`, successThreshold);
    checkPercent(`${name}.error_threshold`, errorThreshold);
    if (successThreshold !== undefined && index === last) {
      throw invalid(`${name}.success_threshold: there is no phase after the last that it could open`);
    }
    if (startMs !== undefined && startMs < latestMs) {
      throw invalid(`${name}.start_ts: must not be before the phase that precedes it`);
    }
    latestMs = startMs ?? latestMs;
    sum += batchSize ?? 0;
  }
  if (sum > 100) throw invalid(`phases: the batch sizes add up to ${sum} percent`);
}

function checkPercent(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= 100)) return;
  throw invalid(`${field}: must be a whole number of percent between 1 and 100, not ${value}`);
}

/** True if the start of the phase has come. */
export function hasBegun({ start_ms }: PhaseRecord, nowMs: number): boolean {
  return start_ms === null || start_ms <= nowMs;
}

/**
 * The active phase: the last that should have begun, unless an earlier one has not reached its success threshold.
 * `undefined`: the first has not begun.
 */
export function activePhase(phases: readonly PhaseRecord[], nowMs: number): PhaseRecord | undefined {
  let active: PhaseRecord | undefined;
  for (const phase of phases) {
    if (!hasBegun(phase, nowMs)) break;
    if (active !== undefined && !opensNext(active)) break;
    active = phase;
  }
  return active;
}

/**
 * True if one more device can be admitted while `active` is the active phase. Places are cumulative: unused places of
 * earlier phases stay available.
 * @param openEnded The last phase has no limit of places.
 */
export function hasFreeSlot(phases: readonly PhaseRecord[], active: PhaseRecord, openEnded: boolean): boolean {
  const places = placesOf(phases, active, openEnded);
  const taken = phases.reduce((sum, phase) => sum + phase.device_count, 0);
  return places === undefined || taken < places;
}

/** The number of places while `active` is the active phase, those of earlier phases included; `undefined`: no limit. */
export function placesOf(phases: readonly PhaseRecord[], active: PhaseRecord, openEnded: boolean): number | undefined {
  if (openEnded && active.number === phases.length - 1) return undefined;
  return phases.filter(({ number }) => number <= active.number).reduce((sum, phase) => sum + phase.places, 0);
}

/** True if the success threshold is reached; failures acknowledged by a resume do not count. */
export function opensNext(phase: PhaseRecord): boolean {
  const counted = judged(phase) - phase.tolerated;
  return phase.success_percent === null || phase.succeeded * 100 >= phase.success_percent * counted;
}

/** True if the next phase stays closed even if all other devices of this one succeed. */
export function neverOpensNext(phases: readonly PhaseRecord[], phase: PhaseRecord): boolean {
  if (phase.success_percent === null || opensNext(phase)) return false;
  const earlier = phases.filter(({ number }) => number <= phase.number);
  const free = earlier.reduce((sum, { places, device_count }) => sum + places - device_count, 0);
  const counted = judged(phase, Math.max(free, 0)) - phase.tolerated;
  const successesAtBest = counted - (phase.failed - phase.tolerated);
  return successesAtBest * 100 < phase.success_percent * counted;
}

/** True if the error threshold is reached; failures acknowledged by a resume do not count. */
export function failsTooOften(phase: PhaseRecord): boolean {
  const failed = phase.failed - phase.tolerated;
  return phase.error_percent !== null && failed > 0 && failed * 100 >= phase.error_percent * judged(phase);
}

/**
 * The number of devices that a phase's thresholds are percentages of: excluded ones say nothing about the release.
 * @param coming How many more devices it can admit.
 */
function judged({ places, device_count, excluded }: PhaseRecord, coming = 0): number {
  return Math.max(places, device_count + coming) - excluded;
}

export function phaseState(
  phase: PhaseRecord,
  active: PhaseRecord | undefined,
  nowMs: number,
  finished: boolean,
): PhaseState {
  if (finished || (active !== undefined && phase.number < active.number)) return "finished";
  if (phase.number === active?.number) return "active";
  return hasBegun(phase, nowMs) ? "waiting" : "scheduled";
}
