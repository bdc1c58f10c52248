import type { Logger } from "@upkeep/shared/logging";
import type { Timer, Timers } from "@upkeep/shared/system";
import type { Deployments } from "../domain.ts";

/** How long a silent device may go unnoticed, in milliseconds. */
const ROUND_MS = 30_000;
/** A day of rounds: so often the store of the artifacts is swept. */
const ROUNDS_TO_SWEEP = (24 * 60 * 60 * 1000) / ROUND_MS;

/** What has to be looked at now and then, although nobody asks. */
export class Housekeeping {
  readonly #deployments: Pick<Deployments, "failSilent" | "removeAbandoned">;
  readonly #timers: Timers;
  readonly #logger: Logger;
  readonly #sweep: () => Promise<unknown>;
  #rounds = 0;
  #next: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  /** @param sweep Removes from the store what belongs to no artifact; absent: somebody else does. */
  constructor(
    deployments: Pick<Deployments, "failSilent" | "removeAbandoned">,
    timers: Timers,
    logger: Logger,
    sweep: () => Promise<unknown> = () => Promise.resolve(),
  ) {
    this.#sweep = sweep;
    this.#deployments = deployments;
    this.#timers = timers;
    this.#logger = logger;
    this.#wait();
  }

  #wait(): void {
    this.#next = this.#timers.after(ROUND_MS, () => {
      this.#round = this.#look().then(() => {
        if (!this.#stopped) this.#wait();
      });
    });
  }

  async #look(): Promise<void> {
    await this.#try("looking for silent devices failed", async () => {
      const failed = await this.#deployments.failSilent();
      if (failed > 0) this.#logger.info("silent devices have failed", { devices: failed });
    });
    await this.#try("removing what is left of deployments failed", async () => {
      const removed = await this.#deployments.removeAbandoned();
      if (removed > 0) this.#logger.warning("deployments whose creation was cut short are removed", { removed });
    });
    this.#rounds += 1;
    if (this.#rounds % ROUNDS_TO_SWEEP !== 0) return;
    await this.#try("sweeping the store of the artifacts failed", async () => {
      await this.#sweep();
    });
  }

  async #try(otherwise: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      // The next round may do better, and the server has other things to do.
      this.#logger.error(otherwise, { error });
    }
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#next?.cancel();
    await this.#round;
  }
}
