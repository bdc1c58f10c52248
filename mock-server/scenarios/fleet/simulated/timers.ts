import type { Timer, Timers } from "@upkeep/shared/system";
import type { VirtualTime } from "../../simulation/virtual-time.ts";

/** Timers in virtual time. */
export class VirtualTimers implements Timers {
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  after(delayMs: number, action: () => void): Timer {
    return this.#time.after(delayMs, action);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const aborted = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.#time.after(delayMs, () => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      });
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}
