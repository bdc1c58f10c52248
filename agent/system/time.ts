import type { Clock, Timer, Timers } from "@upkeep/shared/system";

export const linuxClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** setTimeout takes no more: a longer delay would fire at once. */
const SETTIMEOUT_MS_MAX = 2 ** 31 - 1;

function after(delayMs: number, action: () => void): Timer {
  const due = performance.now() + delayMs;
  let pending: NodeJS.Timeout;
  const arm = (): void => {
    const leftMs = due - performance.now();
    if (leftMs <= 0) action();
    else pending = setTimeout(arm, Math.min(Math.ceil(leftMs), SETTIMEOUT_MS_MAX));
  };
  // The first step goes through setTimeout in any case: `action` is never called before `after` returns.
  pending = setTimeout(arm, Math.min(Math.max(Math.ceil(delayMs), 0), SETTIMEOUT_MS_MAX));
  return { cancel: () => clearTimeout(pending) };
}

function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export const linuxTimers: Timers = { after, sleep };
