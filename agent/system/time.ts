import { type Clock, sleepWith, type Timer, type Timers } from "@upkeep/shared/system";

/** Not `performance.now`, whose module has tables for measurements that the agent does not use. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export const linuxClock: Clock = {
  now: () => Date.now(),
  monotonic: monotonicMs,
};

/** The limit of setTimeout: a longer delay would fire at once. */
const SETTIMEOUT_MS_MAX = 2 ** 31 - 1;

function after(delayMs: number, action: () => void): Timer {
  const due = monotonicMs() + delayMs;
  let pending: NodeJS.Timeout;
  const arm = (): void => {
    const leftMs = due - monotonicMs();
    if (leftMs <= 0) action();
    else pending = setTimeout(arm, Math.min(Math.ceil(leftMs), SETTIMEOUT_MS_MAX));
  };
  // Even without a delay it uses setTimeout: `action` is never called before `after` returns.
  pending = setTimeout(arm, Math.min(Math.max(Math.ceil(delayMs), 0), SETTIMEOUT_MS_MAX));
  return { cancel: () => clearTimeout(pending) };
}

export const linuxTimers: Timers = {
  after,
  sleep: (delayMs, signal) => sleepWith({ after }, delayMs, signal),
};
