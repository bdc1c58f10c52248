import type { Timer } from "@upkeep/shared/system";
import type { Interruption } from "../../faults/effects/machine.ts";
import { effectOf, type FaultPlan, type Moment, type Strike } from "../../faults/index.ts";

export interface RecurrencesPort {
  readonly plan: FaultPlan;
  after(delayMs: number, action: () => void): Timer;
  moment(): Moment;
  interrupt(strike: Strike<"power">, effect: Interruption): void;
}

/** The faults of a plan that interrupt one device again and again while it is up. */
export class Recurrences {
  readonly #port: RecurrencesPort;
  readonly #timers = new Map<number, Timer>();

  constructor(port: RecurrencesPort) {
    this.#port = port;
  }

  /** The device has started, or runs other software, or faults were turned on or off: their times begin anew. */
  begin(): void {
    this.end();
    this.#port.plan.faults.forEach(({ what }, index) => {
      if (what.fault !== "power_cut" && what.fault !== "watchdog_reboot" && what.fault !== "agent_killed") return;
      if (what.value.every !== undefined) this.#await(index, what.value.every);
    });
  }

  /** The device is down. */
  end(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #await(index: number, everyMs: number): void {
    const timer = this.#port.after(everyMs, () => {
      this.#await(index, everyMs);
      const { plan, moment, interrupt } = this.#port;
      const [strike] = plan.strikes("power", moment(), (one) => one.index === index);
      if (strike === undefined) return;
      const effect = effectOf<"power">(strike);
      if (effect.kind === "interruption") interrupt(strike, effect);
    });
    this.#timers.set(index, timer);
  }
}
