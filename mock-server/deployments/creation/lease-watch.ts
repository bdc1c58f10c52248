import type { Clock } from "@upkeep/shared/system";
import type { PreparationRecord } from "../../storage/index.ts";

/** A preparation that makes no progress for this long has lost its process. */
const LEASE_MS = 30_000;

interface Observation {
  /** The number of batches. */
  readonly progress: number;
  /** On the monotonic clock. */
  readonly sinceMs: number;
}

/**
 * Tells which preparations were abandoned: those that this process has seen make no progress for {@link LEASE_MS} on
 * its monotonic clock. A wall clock that is set, here or on another server, ends no lease.
 */
export class LeaseWatch {
  readonly #clock: Pick<Clock, "monotonic">;
  #seen: ReadonlyMap<string, Observation> = new Map();
  #own: string | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** The preparation of this process is alive until {@link release}. */
  hold(id: string): void {
    this.#own = id;
  }

  release(): void {
    this.#own = undefined;
  }

  /** Of all preparations that exist now, those that were abandoned. */
  abandonedAmong(preparations: readonly PreparationRecord[]): readonly PreparationRecord[] {
    if (preparations.length === 0) return [];
    const nowMs = this.#clock.monotonic();
    const observed = preparations.map((one): [string, Observation] => {
      const progress = one.batches;
      const before = this.#seen.get(one.deployment_id);
      return [one.deployment_id, before?.progress === progress ? before : { progress, sinceMs: nowMs }];
    });
    this.#seen = new Map(observed);
    return preparations.filter(({ deployment_id: id, abandoned }) => {
      if (abandoned === 1) return true;
      return id !== this.#own && nowMs - (this.#seen.get(id)?.sinceMs ?? nowMs) >= LEASE_MS;
    });
  }
}
