import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { SeededRandom } from "../system/seeded-random.ts";
import { definitionOf, type FaultName, type FaultOf, type FaultsOf } from "./catalogue.ts";
import type { Concern } from "./fault.ts";
import type { AgentStateName } from "./language/names.ts";
import type { RequestKind } from "./language/request-kinds.ts";

/** A fault with its conditions; times in milliseconds. */
export interface PlannedFault {
  readonly what: FaultOf<FaultName>;
  /** The name that `start_fault` and `stop_fault` use. */
  readonly name?: string | undefined;
  /** False: off until it is turned on. */
  readonly on?: boolean | undefined;
  /** Absent: all devices. */
  readonly devices?: readonly string[] | undefined;
  /** Absent: the requests that the fault's definition names, or all. */
  readonly to?: readonly RequestKind[] | undefined;
  readonly while?: readonly AgentStateName[] | undefined;
  readonly during?: readonly DeviceDeploymentStatus[] | undefined;
  /** What runs on the device, and the release of its deployment. */
  readonly runs?: readonly string[] | undefined;
  readonly release?: readonly string[] | undefined;
  /** Milliseconds after the start: from `fromMs` on, before `untilMs`. */
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** For each device: occasions that pass first, and how often it happens then. */
  readonly skip?: number | undefined;
  readonly count?: number | undefined;
  readonly probability?: number | undefined;
}

/** The situation in which a fault may happen. */
export interface Moment {
  readonly device: string;
  /** Milliseconds after the start. */
  readonly atMs: number;
  readonly request?: RequestKind;
  /** The agent's state, while it updates. */
  readonly state?: AgentStateName | undefined;
  /** The status of the device's deployment at the server. */
  readonly status?: DeviceDeploymentStatus | undefined;
  /** The release of that deployment. */
  readonly release?: string | undefined;
  /** What runs on the device. */
  readonly software?: string | undefined;
}

/** A fault that happens now. */
export type Strike<C extends Concern> = FaultOf<FaultsOf<C>> & {
  /** Its place in the plan, from 0. */
  readonly index: number;
};

/**
 * Decides which faults happen when. The same questions in the same order have the same answers, and the questions of
 * one device change nothing for the others.
 */
export class FaultPlan {
  readonly #faults: readonly PlannedFault[];
  readonly #on: boolean[];
  readonly #seed: SeededRandom;
  readonly #chances = new Map<string, SeededRandom>();
  /** How often the conditions of a fault were met, by fault and device. */
  readonly #met = new Map<string, number>();
  readonly #watchers = new Set<() => void>();

  constructor(faults: readonly PlannedFault[], seed: string) {
    this.#faults = faults;
    this.#on = faults.map(({ on }) => on ?? true);
    this.#seed = new SeededRandom(`${seed}/faults`);
  }

  get faults(): readonly PlannedFault[] {
    return this.#faults;
  }

  /** Turns the faults of this name on or off. @returns Their number. */
  turn(name: string, on: boolean): number {
    let count = 0;
    this.#faults.forEach((fault, index) => {
      if (fault.name !== name) return;
      this.#on[index] = on;
      count++;
    });
    for (const watch of this.#watchers) watch();
    return count;
  }

  /** Turns a fault on. @param index Its place in the plan, from 0. */
  begin(index: number): void {
    this.#on[index] = true;
    for (const watch of this.#watchers) watch();
  }

  /** @param watcher Called after faults were turned on or off. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  /**
   * The faults of this concern that happen now. Each whose conditions are met is counted, and its probability drawn.
   * @param fits A further condition, such as the call of the update module.
   */
  strikes<C extends Concern>(
    concern: C,
    moment: Moment,
    fits: (strike: Strike<C>) => boolean = () => true,
  ): Strike<C>[] {
    return this.#those(concern, moment, fits).filter(({ index }) => this.#happens(index, moment.device));
  }

  /** The faults of this concern whose conditions are met now; nothing is counted, no probability drawn. */
  standing<C extends Concern>(
    concern: C,
    moment: Moment,
    fits: (strike: Strike<C>) => boolean = () => true,
  ): Strike<C>[] {
    return this.#those(concern, moment, fits).filter(({ index }) => !this.#isSpent(index, moment.device));
  }

  /** The faults that happen now for certain: without a probability, and with nothing left to skip. Nothing is counted. */
  certain<C extends Concern>(
    concern: C,
    moment: Moment,
    fits: (strike: Strike<C>) => boolean = () => true,
  ): Strike<C>[] {
    return this.standing(concern, moment, fits).filter(({ index }) => {
      const { probability, skip = 0 } = this.#faults[index] ?? {};
      return probability === undefined && (this.#met.get(`${index}/${moment.device}`) ?? 0) >= skip;
    });
  }

  #those<C extends Concern>(concern: C, moment: Moment, fits: (strike: Strike<C>) => boolean): Strike<C>[] {
    const found: Strike<C>[] = [];
    this.#faults.forEach((fault, index) => {
      if (!this.#on[index] || definitionOf(fault.what.fault).concern !== concern || !meets(fault, moment)) return;
      // The concern was compared just now.
      const strike = { ...fault.what, index } as unknown as Strike<C>;
      if (fits(strike)) found.push(strike);
    });
    return found;
  }

  #happens(index: number, device: string): boolean {
    const key = `${index}/${device}`;
    const { skip = 0, probability } = this.#faults[index] ?? {};
    if (this.#isSpent(index, device)) return false;
    // An occasion counts only if the probability lets it happen.
    if (probability !== undefined && !this.#chanceOf(key).happens(probability)) return false;
    const met = (this.#met.get(key) ?? 0) + 1;
    this.#met.set(key, met);
    return met > skip;
  }

  #isSpent(index: number, device: string): boolean {
    const fault = this.#faults[index];
    if (fault === undefined) return true;
    const { fault: name, value } = fault.what;
    const count = fault.count ?? (definitionOf(name).once?.(value) ? 1 : undefined);
    if (count === undefined) return false;
    return (this.#met.get(`${index}/${device}`) ?? 0) >= (fault.skip ?? 0) + count;
  }

  #chanceOf(key: string): SeededRandom {
    const known = this.#chances.get(key);
    if (known !== undefined) return known;
    const made = this.#seed.fork(key);
    this.#chances.set(key, made);
    return made;
  }
}

function meets(fault: PlannedFault, moment: Moment): boolean {
  const { device, atMs, request, state, status } = moment;
  const { devices, fromMs = 0, untilMs = Number.POSITIVE_INFINITY } = fault;
  if (devices !== undefined && !devices.includes(device)) return false;
  if (atMs < fromMs || atMs >= untilMs) return false;
  if (fault.while !== undefined && (state === undefined || !fault.while.includes(state))) return false;
  if (fault.during !== undefined && (status === undefined || !fault.during.includes(status))) return false;
  if (!isAmong(fault.release, () => moment.release) || !isAmong(fault.runs, () => moment.software)) return false;
  const requests = fault.to ?? definitionOf(fault.what.fault).requests;
  return request === undefined || requests === undefined || requests.includes(request);
}

/** True without names, or if the value is one of them. @param read Is called only if there are names. */
function isAmong(names: readonly string[] | undefined, read: () => string | undefined): boolean {
  if (names === undefined) return true;
  const value = read();
  return value !== undefined && names.includes(value);
}
