import type { Clock, Timer, Timers } from "@upkeep/shared/system";

interface Due {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

/** Time that stands still while anything is being worked on, and then jumps to the next timer. */
export class VirtualTime implements Clock, Timers {
  #now = Date.UTC(2026, 0, 1);
  #order = 0;
  #due: Due[] = [];
  #pumping = false;
  /** How far the wall clock is from what it should be; may depend on the time that has passed. */
  wallErrorMs: (monotonicMs: number) => number = () => 0;

  now(): number {
    return this.#now + this.wallErrorMs(this.#now);
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): Timer {
    const due = { at: this.#now + delayMs, order: this.#order++, action };
    this.#due.push(due);
    this.#pump();
    return { cancel: () => this.#drop(due) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Forget every timer: the machine that they were on is gone. */
  clear(): void {
    this.#due = [];
  }

  #drop(due: Due): void {
    this.#due = this.#due.filter((other) => other !== due);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // All work of these tests happens in microtasks: a turn of the event loop means that it waits.
    setImmediate(() => {
      this.#pumping = false;
      const [next] = this.#due.sort((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) return;
      this.#drop(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      if (this.#due.length > 0) this.#pump();
    });
  }
}
