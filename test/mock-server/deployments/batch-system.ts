import { TestSystem } from "../domain-fixture.ts";

/** A clock that says when a batch is about to be written. */
export class BatchSystem extends TestSystem {
  batches = 0;
  /** How long a batch takes, however small. */
  batchMs = 0;
  atBatch: (batch: number) => void = () => undefined;
  /** For who looks at the clock and writes no batches. */
  readonly unwatched = {
    clock: { now: () => this.nowMs, monotonic: () => this.nowMs - this.jumpedMs },
    random: this.random,
  };
  override readonly clock = {
    now: () => this.nowMs,
    monotonic: () => {
      this.batches += 0.5;
      if (Number.isInteger(this.batches)) return this.nowMs - this.jumpedMs + this.batchMs;
      this.atBatch(this.batches + 0.5);
      return this.nowMs - this.jumpedMs;
    },
  };
}
