import type { Logger } from "@upkeep/shared/logging";
import type { Timer, Timers } from "@upkeep/shared/system";
import type { Deployments } from "../domain.ts";

/** How long a silent device may go unnoticed, in milliseconds. */
const ROUND_MS = 30_000;

/** What has to be looked at now and then, although nobody asks. */
export class Housekeeping {
  readonly #deployments: Pick<Deployments, "failSilent" | "removeAbandoned">;
  readonly #timers: Timers;
  readonly #logger: Logger;
  #next: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deployments: Pick<Deployments, "failSilent" | "removeAbandoned">, timers: Timers, logger: Logger) {
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
