import { type BackoffSchedule, pauseBeforeRetry } from "../server/backoff.ts";

/** Times are milliseconds of monotonic time. */
export interface TaskSettings {
  readonly intervalMs: number;
  /** Up to this share of the interval is added to it, 0 to 1. */
  readonly jitter: number;
  readonly backoff: BackoffSchedule;
}

/** Computes when a periodic task is due. It sets no timer. */
export class Schedule {
  readonly #settings: TaskSettings;
  readonly #fraction: () => number;
  /** The next regular time, whether the current round fails or not. */
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

  /** The last round failed, and the next one is a retry after a pause. */
  get backingOff(): boolean {
    return this.#backingOff;
  }

  /** Makes the task due at once, or after the current round. */
  request(): void {
    this.#requested = true;
  }

  /** A round begins. The next one is due an interval later. */
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
   * @param retryAfterMs The pause that the server asked for.
   * @returns When it is tried again.
   */
  failed(nowMs: number, retryAfterMs?: number): number {
    // A pause that the server asked for does not count as a failed try.
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
