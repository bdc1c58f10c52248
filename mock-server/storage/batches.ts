import type { Clock } from "@upkeep/shared/system";

/** Rows per transaction: small enough that other writers wait only briefly. */
export const ONE_TRANSACTION_MAX = 1000;
/**
 * The intended duration of a batch, in milliseconds. A request that arrives during a batch waits for the rest of it,
 * for the next batch, and for the sync of each.
 */
const BATCH_MS = 5;
const FIRST = 500;
const MIN = 50;
const MAX = 5000;

/** Adapts the size of batches so that each takes about {@link BATCH_MS}. */
export class BatchSize {
  readonly #clock: Clock;
  readonly #max: number;
  #size = FIRST;

  constructor(clock: Clock, max = MAX) {
    this.#clock = clock;
    this.#max = max;
  }

  get next(): number {
    return this.#size;
  }

  /** Runs a batch of {@link next} rows. */
  async timed<T>(batch: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonic();
    const result = await batch();
    const tookMs = this.#clock.monotonic() - startMs;
    const wanted = Math.floor((this.#size * BATCH_MS) / Math.max(1, tookMs));
    this.#size = Math.min(Math.max(wanted, MIN), this.#max, this.#size * 2);
    return result;
  }
}
