import type { Clock, Timer, Timers } from "@upkeep/shared/system";
import type { Deployments } from "../domain.ts";

/** How often it is looked whether the server stood still. */
const LOOK_EVERY_MS = 5_000;
/** A look that comes so much too late: nothing was heard meanwhile. */
const LATE_MS = 10_000;

/**
 * Notices when the server could not hear devices: before it started, and while its process was stopped, or too busy to
 * take requests. Silence counts only from then on.
 */
export class HearingWatch {
  readonly #deployments: Pick<Deployments, "restartUptime">;
  readonly #machine: { readonly clock: Clock; readonly timers: Timers };
  #next: Timer | undefined;

  /** @param machine The machine's own time, whatever time it is for the server. */
  constructor(
    deployments: Pick<Deployments, "restartUptime">,
    machine: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.#deployments = deployments;
    this.#machine = machine;
    deployments.restartUptime();
    this.#wait();
  }

  #wait(): void {
    const { clock, timers } = this.#machine;
    const dueMs = clock.monotonic() + LOOK_EVERY_MS;
    this.#next = timers.after(LOOK_EVERY_MS, () => {
      if (clock.monotonic() - dueMs > LATE_MS) this.#deployments.restartUptime();
      this.#wait();
    });
  }

  stop(): void {
    this.#next?.cancel();
  }
}
