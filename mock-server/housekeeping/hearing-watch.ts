import type { Clock, Timer, Timers } from "@upkeep/shared/system";
import type { Deployments } from "../domain.ts";

/** Interval of the checks whether the process stood still. */
const CHECK_EVERY_MS = 5_000;
/** A check that is later than this proves that the process took no requests meanwhile. */
const LATE_MS = 10_000;

/**
 * Detects times in which the server could not hear devices: before it started, and while its process was stopped or too
 * busy to take requests. The silence of a device counts only from the end of such a time.
 */
export class HearingWatch {
  readonly #deployments: Pick<Deployments, "restartUptime">;
  readonly #machine: { readonly clock: Clock; readonly timers: Timers };
  readonly #isHeld: () => boolean;
  #next: Timer | undefined;

  /**
   * @param machine The machine's own time; tests move the server's.
   * @param isHeld True while tests hold the server's clock: then no device falls silent, however busy the machine is.
   */
  constructor(
    deployments: Pick<Deployments, "restartUptime">,
    machine: { readonly clock: Clock; readonly timers: Timers },
    isHeld: () => boolean = () => false,
  ) {
    this.#deployments = deployments;
    this.#machine = machine;
    this.#isHeld = isHeld;
    deployments.restartUptime();
    this.#wait();
  }

  #wait(): void {
    const { clock, timers } = this.#machine;
    const dueMs = clock.monotonic() + CHECK_EVERY_MS;
    this.#next = timers.after(CHECK_EVERY_MS, () => {
      if (clock.monotonic() - dueMs > LATE_MS && !this.#isHeld()) this.#deployments.restartUptime();
      this.#wait();
    });
  }

  stop(): void {
    this.#next?.cancel();
  }
}
