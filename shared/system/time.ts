/** Wall clock and monotonic clock. */
export interface Clock {
  /** Wall clock: milliseconds since the Unix epoch, UTC. May jump in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary start. Never jumps; for measuring durations. */
  monotonic(): number;
}

/** A pending call. */
export interface Timer {
  /** Cancels the call. No effect after the call. */
  cancel(): void;
}

/** Timers. Delays are milliseconds of monotonic time, of any length. */
export interface Timers {
  /** Call `action` once, after `delayMs`. A pending timer keeps the program alive. */
  after(delayMs: number, action: () => void): Timer;
  /** Resolve after `delayMs`; reject with the signal's reason as soon as it is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** {@link Timers.sleep}, made of the timers' `after`. */
export function sleepWith(timers: Pick<Timers, "after">, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = timers.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** A cron expression that calls back until it is stopped. */
export interface CronTask {
  /** The next call, in milliseconds since the Unix epoch; `undefined` if none is known. */
  next(): number | undefined;
  stop(): void;
}

/** Cron expressions (five or six fields, as node-cron reads them). */
export interface Cron {
  /** The reason why `expression` is no cron expression; `undefined` if it is one. */
  fault(expression: string): Promise<string | undefined>;
  /**
   * True if the expression matches the minute of `atMs` (milliseconds since the Unix epoch). Rejects with EINVAL if
   * the expression or `timezone` is invalid.
   */
  matches(expression: string, atMs: number, timezone?: string): Promise<boolean>;
  /**
   * Calls `action` at every matching instant. Rejects with EINVAL if the expression is invalid.
   * @param timezone IANA name; the machine's own zone when absent.
   */
  schedule(expression: string, action: () => void, timezone?: string): Promise<CronTask>;
}
