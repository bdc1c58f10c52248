import { type Clock, sleepWith, type Timer, type Timers } from "@upkeep/shared/system";

/** The longest delay that the platform's timer keeps, in milliseconds; longer ones fire at once there. */
const PLATFORM_DELAY_MS_MAX = 2 ** 31 - 1;

export class NodeClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }
}

class LongTimer implements Timer {
  #pending: NodeJS.Timeout;

  constructor(delayMs: number, action: () => void) {
    this.#pending = this.#start(delayMs, action);
  }

  #start(delayMs: number, action: () => void): NodeJS.Timeout {
    if (delayMs <= PLATFORM_DELAY_MS_MAX) return setTimeout(action, delayMs);
    return setTimeout(() => {
      this.#pending = this.#start(delayMs - PLATFORM_DELAY_MS_MAX, action);
    }, PLATFORM_DELAY_MS_MAX);
  }

  cancel(): void {
    clearTimeout(this.#pending);
  }
}

export class NodeTimers implements Timers {
  after(delayMs: number, action: () => void): Timer {
    return new LongTimer(delayMs, action);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }
}
