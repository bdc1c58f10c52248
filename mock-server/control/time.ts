import { type Clock, sleepWith, type Timer, type Timers } from "@upkeep/shared/system";

/** The parts of the door that the controlled time uses. */
export interface RealTime {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A timer of the controlled time, due at a reading of its monotonic clock. */
interface Pending {
  readonly dueMs: number;
  /** Timers of one instant fire in the order in which they were set. */
  readonly order: number;
  readonly action: () => void;
}

/** The longest wait on one real timer, in milliseconds. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1000;
/** An advance fires this many timers one by one, each at its instant; after that a repeated timer fires once. */
const STEPS_MAX = 100;

/**
 * A clock, and the timers that go by it, that can be stopped and moved.
 *
 * - Left alone it goes as the real one does.
 * - Frozen, it shows one instant, and no timer goes off.
 * - `advance` lets time pass at once: timers go off in their order, each at its instant.
 * - `set` changes what the clock shows, as when a wrong clock is corrected: no time passes, and timers
 *   stay as far away as they were.
 */
export class ControlledTime implements Clock, Timers {
  readonly #real: RealTime;
  /** For what is about the test itself, not the server. */
  readonly realTimers: Timers;
  #frozen = false;
  /** Shown by the monotonic clock at the real instant {@link #sinceMs}, and for as long as it is frozen. */
  #monotonicMs: number;
  #sinceMs: number;
  /** Wall clock minus monotonic clock, both as they are shown. */
  #wallOffsetMs: number;
  readonly #pending = new Set<Pending>();
  #orders = 0;
  #wait: Timer | undefined;
  #moving: Promise<void> = Promise.resolve();

  constructor(real: RealTime) {
    this.#real = real;
    this.realTimers = real.timers;
    this.#sinceMs = real.clock.monotonic();
    this.#monotonicMs = this.#sinceMs;
    this.#wallOffsetMs = real.clock.now() - this.#sinceMs;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  now(): number {
    return Math.round(this.monotonic() + this.#wallOffsetMs);
  }

  monotonic(): number {
    return this.#frozen ? this.#monotonicMs : this.#monotonicMs + this.#real.clock.monotonic() - this.#sinceMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const pending: Pending = { dueMs: this.monotonic() + Math.max(delayMs, 0), order: this.#orders++, action };
    this.#pending.add(pending);
    this.#watch();
    return {
      cancel: () => {
        if (this.#pending.delete(pending)) this.#watch();
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }

  freeze(): void {
    this.#stand(this.monotonic());
    this.#frozen = true;
    this.#watch();
  }

  /** Go on from where it stands. */
  run(): void {
    this.#stand(this.monotonic());
    this.#frozen = false;
    this.#watch();
  }

  /** @param nowMs What the wall clock is to show, in milliseconds since the Unix epoch. */
  set(nowMs: number): void {
    this.#wallOffsetMs = nowMs - this.monotonic();
  }

  /** Show the real time again. What was passed over with `advance` stays passed for timers. */
  reset(): void {
    this.run();
    this.set(this.#real.clock.now());
  }

  /** Forget every timer: nothing goes off any more. */
  close(): void {
    this.#pending.clear();
    this.#watch();
  }

  /** Let `durationMs` pass. Resolves when every timer that was due in it, or was set for it meanwhile, has gone off. */
  advance(durationMs: number): Promise<void> {
    this.#moving = this.#moving.then(() => this.#pass(durationMs));
    return this.#moving;
  }

  async #pass(durationMs: number): Promise<void> {
    const targetMs = this.monotonic() + durationMs;
    for (let step = 0; step < STEPS_MAX; step++) {
      const next = this.#first();
      if (next === undefined || next.dueMs > targetMs) break;
      this.#stand(Math.max(next.dueMs, this.monotonic()));
      this.#pending.delete(next);
      next.action();
      // The code that waited for the timer continues, and may set another one.
      await this.#real.timers.sleep(0);
    }
    this.#stand(Math.max(targetMs, this.monotonic()));
    this.#fire();
  }

  #stand(monotonicMs: number): void {
    this.#monotonicMs = monotonicMs;
    this.#sinceMs = this.#real.clock.monotonic();
  }

  #first(): Pending | undefined {
    let first: Pending | undefined;
    for (const one of this.#pending) {
      if (first === undefined || one.dueMs < first.dueMs || (one.dueMs === first.dueMs && one.order < first.order)) {
        first = one;
      }
    }
    return first;
  }

  /** Wait, in real time, for what is due next. */
  #watch(): void {
    this.#wait?.cancel();
    this.#wait = undefined;
    const next = this.#frozen ? undefined : this.#first();
    if (next === undefined) return;
    this.#wait = this.#real.timers.after(Math.min(Math.max(next.dueMs - this.monotonic(), 0), WAIT_MS_MAX), () => {
      this.#fire();
    });
  }

  /** Everything that is due now. What it sets for now again has its turn later. */
  #fire(): void {
    this.#wait?.cancel();
    this.#wait = undefined;
    const nowMs = this.monotonic();
    const due = [...this.#pending].filter(({ dueMs }) => dueMs <= nowMs);
    for (const one of due.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)) {
      if (this.#pending.delete(one)) one.action();
    }
    this.#watch();
  }
}
