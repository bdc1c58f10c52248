import type { Timers } from "@upkeep/shared/system";

/** Timers whose sleeps are noted and over at once. */
export function hastyTimers(real: Timers): { readonly timers: Timers; readonly sleepsMs: number[] } {
  const sleepsMs: number[] = [];
  const sleep = async (delayMs: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    sleepsMs.push(delayMs);
  };
  return { timers: { after: real.after, sleep }, sleepsMs };
}
