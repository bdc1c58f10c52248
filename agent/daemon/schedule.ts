import { type BackoffSchedule, pauseBeforeRetry } from "../server/backoff.ts";

/** Times are milliseconds of monotonic time. */
export interface TaskSettings {
  readonly intervalMs: number;
  /** Up to this share of the interval is added to it, 0 to 1. */
  readonly jitter: number;
  readonly backoff: BackoffSchedule;
}

/** When something that is done again and again is due. Decides; waits for nothing. */
export class Schedule {
  readonly #settings: TaskSettings;
  readonly #fraction: () => number;
  /** The next regular time, whatever becomes of the round that is under way. */
  #regularAt: number;
  #dueAt: number;
  #failures = 0;
  #requested = false;
  #backingOff = false;

  /** Due at once. */
  constructor(settings: TaskSettings, nowMs: number, fraction: () => number) {
    this.#settings = settings;
    this.#fraction = fraction;
    this.#regularAt = nowMs;
    this.#dueAt = nowMs;
  }

  get dueAt(): number {
    return this.#requested ? Number.NEGATIVE_INFINITY : this.#dueAt;
  }

  /** The last round failed, and the next try has its time, which the server may have set. */
  get backingOff(): boolean {
    return this.#backingOff;
  }

  /** Due as soon as possible, also when a round is under way now. */
  request(): void {
    this.#requested = true;
  }

  /** A round begins: whatever happens in it, the next one is due. */
  begin(nowMs: number): void {
    const { intervalMs, jitter } = this.#settings;
    this.#requested = false;
    this.#backingOff = false;
    this.#regularAt = nowMs + intervalMs * (1 + jitter * this.#fraction());
    this.#dueAt = this.#regularAt;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /**
   * @param retryAfterMs What the server asked for: then it is not asked before that.
   * @returns When it is tried again.
   */
  failed(nowMs: number, retryAfterMs?: number): number {
    // What the server asked for itself is no try of ours.
    if (retryAfterMs === undefined) this.#failures++;
    const pauseMs = pauseBeforeRetry(this.#settings.backoff, this.#failures, this.#fraction(), retryAfterMs);
    this.#backingOff = pauseMs !== undefined;
    if (pauseMs === undefined) {
      this.#failures = 0;
      this.#dueAt = this.#regularAt;
    } else if (retryAfterMs === undefined) {
      this.#dueAt = Math.min(nowMs + pauseMs, this.#regularAt);
    } else {
      this.#dueAt = nowMs + pauseMs;
    }
    return this.#dueAt;
  }
}
