import type { Timer } from "@upkeep/shared/system";
import { turn } from "./turns.ts";

class VirtualTimer implements Timer {
  readonly dueMs: number;
  /** Order in which timers of the same instant were set, and so go off. */
  readonly order: number;
  action: (() => void) | undefined;

  constructor(dueMs: number, order: number, action: () => void) {
    this.dueMs = dueMs;
    this.order = order;
    this.action = action;
  }

  cancel(): void {
    this.action = undefined;
  }
}

function earlier(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** A binary heap, the earliest timer first. Cancelled ones are dropped when they come up. */
class TimerQueue {
  readonly #heap: VirtualTimer[] = [];

  get first(): VirtualTimer | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.action !== undefined) return first;
      this.#removeFirst();
    }
  }

  add(timer: VirtualTimer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as VirtualTimer;
      if (!earlier(timer, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  take(): VirtualTimer | undefined {
    const { first } = this;
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as VirtualTimer, heap[child] as VirtualTimer)) child++;
      if (!earlier(heap[child] as VirtualTimer, last)) break;
      heap[at] = heap[child] as VirtualTimer;
      at = child;
    }
    heap[at] = last;
  }
}

/** All work waits and no timer is set: the work that was awaited hangs. */
export class NothingWillHappen extends Error {
  override readonly name = "NothingWillHappen";
}

/** Real turns of the event loop that work held with {@link VirtualTime.hold} may take before time moves on. */
const HELD_TURNS_MAX = 64;

/**
 * Time that stands still while anything runs, and then jumps to the next timer.
 *
 * Calls on the simulated door take effect when they are made and resolve as promise reactions, so nothing
 * that runs behind the door needs the real event loop; one turn of it therefore tells that all of it waits.
 * Work that the loop knows of and the door does not (a thread pool: compression, asynchronous
 * cryptography; a server called without sockets) would be overtaken by time, and in an order that is not
 * always the same. Such work is either kept away or announced with {@link hold}.
 */
export class VirtualTime {
  #nowMs = 0;
  #orders = 0;
  #held = 0;
  readonly #timers = new TimerQueue();

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** When the next timer goes off; `undefined` if none is set. */
  get nextMs(): number | undefined {
    return this.#timers.first?.dueMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = new VirtualTimer(this.#nowMs + Math.max(delayMs, 0), this.#orders++, action);
    this.#timers.add(timer);
    return timer;
  }

  /**
   * Let real, asynchronous work finish before time moves on. Work that itself waits for virtual time would
   * wait for ever: so after some turns of the event loop without its end, time moves all the same.
   */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#held++;
    try {
      return await work;
    } finally {
      this.#held--;
    }
  }

  /**
   * Let time pass until `work` has settled.
   * @throws NothingWillHappen if `work` waits and no timer or call is pending.
   */
  async until<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    work.then(settle, settle);
    for (;;) {
      await this.#everybodyWaits();
      if (settled) return await work;
      if (!this.#jump()) throw new NothingWillHappen(`at ${this.#nowMs} ms everybody waits and no timer is set`);
    }
  }

  /** Let `durationMs` pass, with everything that happens in it. */
  async pass(durationMs: number): Promise<void> {
    await this.until(
      new Promise<void>((resolve) => {
        this.after(durationMs, resolve);
      }),
    );
  }

  async #everybodyWaits(): Promise<void> {
    await turn();
    for (let turns = 1; this.#held > 0 && turns < HELD_TURNS_MAX; turns++) await turn();
  }

  #jump(): boolean {
    const timer = this.#timers.take();
    if (timer?.action === undefined) return false;
    this.#nowMs = timer.dueMs;
    const { action } = timer;
    timer.action = undefined;
    action();
    return true;
  }
}
