import type { Timer } from "@upkeep/shared/system";

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly action: () => void;
}

/** The scenario's clock of a real run, in whole milliseconds: it stands still until the runner advances it. */
export class ScenarioTime {
  #nowMs = 0;
  #orders = 0;
  readonly #pending = new Set<Pending>();

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const pending: Pending = { dueMs: this.#nowMs + Math.ceil(Math.max(delayMs, 0)), order: this.#orders++, action };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Due time of the next timer, if any. */
  get nextMs(): number | undefined {
    return this.#first()?.dueMs;
  }

  /** @param toMs No timer is due before this instant. */
  moveTo(toMs: number): void {
    this.#nowMs = Math.max(toMs, this.#nowMs);
  }

  /** Runs the timers that are due. @returns False if none was due. */
  fire(): boolean {
    let fired = false;
    for (let first = this.#first(); first !== undefined && first.dueMs <= this.#nowMs; first = this.#first()) {
      this.#pending.delete(first);
      first.action();
      fired = true;
    }
    return fired;
  }

  #first(): Pending | undefined {
    let first: Pending | undefined;
    for (const one of this.#pending) {
      if (first === undefined || one.dueMs < first.dueMs || (one.dueMs === first.dueMs && one.order < first.order))
        first = one;
    }
    return first;
  }
}
