import type { AgentRest, AgentTime } from "./agent-clock.ts";

/** Longest pause between two looks of an agent for what a program does, in milliseconds. */
const SOON_MS = 250;
/** Equal rests after which a connection has nothing that the agent reads before its next timer. */
const REPEATS = 5;

/** What the runner holds back until the scenario's time has come, of one device. */
export interface Held {
  /** Connections whose exchange waits for a time of the scenario. */
  readonly sockets: number;
  /** Exchanges that are under way. */
  readonly moving: number;
  /** Programs that wait for a time of the scenario, or for ever. */
  readonly programs: number;
}

/** The time of one agent's process, and how it rests. */
export class DeviceClock {
  readonly #time: () => AgentTime;
  #pid: number | undefined;
  #rest: AgentRest | undefined;
  #dueMs: number | undefined;
  #answer: ((time: AgentTime) => void) | undefined;
  /** What is to happen when the process has the present time. */
  #actions: (() => void)[] = [];
  /** The last rest, as text, and how often it has been repeated. */
  #last = "";
  #repeats = 0;

  /** @param time What the device's clocks show now. */
  constructor(time: () => AgentTime) {
    this.#time = time;
  }

  /** Another process runs from now on; `undefined`: none. */
  restart(pid: number | undefined): void {
    this.#pid = pid;
    this.#rest = undefined;
    this.#dueMs = undefined;
    this.#answer = undefined;
    this.#actions = [];
  }

  /** The process rests. @returns Resolves with the time when it is to go on; never for a process that has ended. */
  async rests(rest: AgentRest): Promise<AgentTime> {
    return await new Promise((resolve) => {
      if (rest.pid !== this.#pid) return;
      this.#rest = rest;
      const text = JSON.stringify(rest);
      this.#repeats = text === this.#last ? this.#repeats + 1 : 0;
      this.#last = text;
      this.#dueMs = rest.dueMs ?? undefined;
      this.#answer = resolve;
      if (this.#actions.length > 0) this.#act();
    });
  }

  /** Does something to the process from outside, when it has the present time. Another process never gets it. */
  reach(action: () => void): void {
    this.#actions.push(action);
    this.#act();
  }

  #act(): void {
    if (this.#rest?.nowMs === this.#time().nowMs) for (const action of this.#actions.splice(0)) action();
    this.wake();
  }

  /** The scenario's time has moved. A process that sleeps longer is left alone. */
  timeMoved(): void {
    if (!this.#sleeps) this.wake();
  }

  /** True if nothing but its next timer, which is not due yet, and {@link reach} makes the process go on. */
  get #sleeps(): boolean {
    const rest = this.#rest;
    if (rest === undefined || rest.sockets + rest.programs + rest.others > 0) return false;
    return rest.dueMs === null || rest.dueMs > this.#time().nowMs;
  }

  /** The process has something to do. */
  wake(): void {
    this.#last = "";
    this.lookAgain();
  }

  /** The process is to look again whether it rests. */
  lookAgain(): void {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#rest = undefined;
    answer?.(this.#time());
  }

  /** True if nothing happens in the process before the scenario's time moves. */
  isAtRest(held: Held): boolean {
    const rest = this.#rest;
    if (rest === undefined || this.#actions.length > 0 || held.moving > 0) return false;
    if (rest.nowMs !== this.#time().nowMs) return this.#sleeps;
    // The agent looks again soon whether a program has taken what it gives it: it must not look in vain.
    const looksSoon = rest.dueMs !== null && rest.dueMs - rest.nowMs <= SOON_MS;
    if (rest.programs > held.programs) return looksSoon;
    if (held.programs > 0) return true;
    return rest.others === 0 && (rest.sockets <= held.sockets || this.#repeats >= REPEATS);
  }

  /** When its next timer is due as far as is known, in milliseconds of the scenario. */
  get dueMs(): number | undefined {
    return this.#dueMs;
  }
}
