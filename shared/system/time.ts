/** What time it is. */
export interface Clock {
  /** Wall clock: milliseconds since the Unix epoch, UTC. May jump in either direction. */
  now(): number;
  /** Milliseconds since an arbitrary start. Never jumps; for measuring how long something took. */
  monotonic(): number;
}

/** A pending call. */
export interface Timer {
  /** Forget the call. Harmless when it has been made already. */
  cancel(): void;
}

/** Waiting. Delays are milliseconds of monotonic time; a delay of any length is honoured exactly. */
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
  /** When it calls back next, in milliseconds since the Unix epoch; `undefined` if never, as far as can be seen. */
  next(): number | undefined;
  stop(): void;
}

/** Cron expressions (five or six fields, as node-cron reads them). */
export interface Cron {
  /** The reason why `expression` is no cron expression, or `undefined` if it is one. */
  fault(expression: string): Promise<string | undefined>;
  /**
   * True if the expression names the minute in which `atMs` (milliseconds since the Unix epoch) lies. Rejects
   * with EINVAL if it is no cron expression, or `timezone` is none.
   */
  matches(expression: string, atMs: number, timezone?: string): Promise<boolean>;
  /**
   * Call `action` at every instant that matches. Rejects with EINVAL if it is no cron expression.
   * @param timezone IANA name; the machine's own zone when absent.
   */
  schedule(expression: string, action: () => void, timezone?: string): Promise<CronTask>;
}
