import type { System } from "@upkeep/shared/system";

/** Unused bandwidth of at most this time may be caught up. */
const SAVED_MS_MAX = 1000;

/** Keeps a download within its bandwidth. Connections of one download share it. */
export class Pace {
  readonly #system: Pick<System, "clock" | "timers">;
  readonly #bytesPerSecondMax: number;
  /** Monotonic time until which the bandwidth is used up. */
  #busyUntil = 0;

  /** @param bytesPerSecondMax 0 means no limit. */
  constructor(system: Pick<System, "clock" | "timers">, bytesPerSecondMax: number) {
    this.#system = system;
    this.#bytesPerSecondMax = bytesPerSecondMax;
  }

  /** Wait until `bytes` fit into the bandwidth. The connection is not read meanwhile, which slows down the peer. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecondMax === 0) return;
    const { clock, timers } = this.#system;
    const now = clock.monotonic();
    this.#busyUntil = Math.max(this.#busyUntil, now - SAVED_MS_MAX) + (bytes / this.#bytesPerSecondMax) * 1000;
    if (this.#busyUntil > now) await timers.sleep(this.#busyUntil - now, signal);
  }
}
