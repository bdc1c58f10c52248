import type { Logger } from "@upkeep/shared/logging";
import type { Timer, Timers } from "@upkeep/shared/system";
import type { Contacts, Deployments } from "../domain.ts";

/** A silent device fails at most this much later than its limit, in milliseconds. */
const ROUND_MS = 30_000;
/** The store of the artifacts is swept once a day. */
const ROUNDS_TO_SWEEP = (24 * 60 * 60 * 1000) / ROUND_MS;

/** Runs one round: a simulation keeps its time still meanwhile. */
export type RunRound = (round: () => Promise<void>) => Promise<void>;

export interface HousekeepingParts {
  readonly deployments: Pick<Deployments, "failSilent" | "removeAbandoned">;
  readonly contacts: Pick<Contacts, "flush">;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Removes blobs that belong to no artifact. */
  readonly sweep: () => Promise<void>;
  /** Default: the round runs as it is. */
  readonly run?: RunRound;
}

/** Periodic work: records contacts of devices, fails silent devices, removes deployments whose creation was cut short, sweeps the artifacts. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #run: RunRound;
  #rounds = 0;
  #next: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
    this.#run = parts.run ?? ((round) => round());
    this.#wait();
  }

  #wait(): void {
    this.#next = this.#parts.timers.after(ROUND_MS, () => {
      this.#round = this.#run(() => this.#look()).then(() => {
        if (!this.#stopped) this.#wait();
      });
    });
  }

  async #look(): Promise<void> {
    const { contacts, deployments, logger, sweep } = this.#parts;
    await this.#try("recording the contacts of devices failed", () => contacts.flush());
    await this.#try("looking for silent devices failed", async () => {
      const failed = await deployments.failSilent();
      if (failed > 0) logger.info("silent devices have failed", { devices: failed });
    });
    await this.#try("removing what is left of deployments failed", async () => {
      const removed = await deployments.removeAbandoned();
      if (removed > 0) logger.warning("deployments whose creation was cut short are removed", { removed });
    });
    this.#rounds += 1;
    if (this.#rounds % ROUNDS_TO_SWEEP !== 0) return;
    await this.#try("sweeping the store of the artifacts failed", () => sweep());
  }

  async #try(otherwise: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      // The next round tries again.
      this.#parts.logger.error(otherwise, { error });
    }
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#next?.cancel();
    await this.#round;
  }
}
