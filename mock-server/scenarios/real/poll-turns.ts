import type { Timers } from "@upkeep/shared/system";

/** Pause between two looks, in milliseconds of this machine. */
const LOOK_MS = 20;

/**
 * Lets devices that poll at the same instant of the scenario do so in the order of the fleet, as in virtual time. Which
 * devices are in the first phase of a deployment then does not depend on which process is the fastest.
 */
export class PollTurns {
  readonly #timers: Timers;
  readonly #waitMsMax: number;

  /** @param waitMsMax Less than the time after which an agent gives up a silent connection. */
  constructor(timers: Timers, waitMsMax: number) {
    this.#timers = timers;
    this.#waitMsMax = waitMsMax;
  }

  /** Resolves when `isTurn` is true, or after the longest wait. */
  async until(isTurn: () => boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < this.#waitMsMax && !isTurn(); waitedMs += LOOK_MS)
      await this.#timers.sleep(LOOK_MS);
  }
}
