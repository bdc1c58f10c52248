import { type ProcessExit, type SignalName, sleepWith, type Timer } from "@upkeep/shared/system";
import type { CallObserver, DoorCall } from "./calls.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What processes share: the time, and the observer of their calls. */
export interface CallDesk {
  readonly time: VirtualTime;
  readonly observer: CallObserver;
  nextCall(): number;
}

/**
 * A process behind the simulated door. When it has ended (by itself, by a signal, with the power) it is
 * frozen: its calls have no effect and never resolve, so that nothing of it runs on.
 */
export class SimulatedProcess {
  readonly pid: number;
  readonly group: number;
  readonly name: string;
  readonly #desk: CallDesk;
  readonly #endings: (() => void)[] = [];
  readonly #signalActions = new Map<SignalName, Set<() => void>>();
  #alive = true;
  #exit: ProcessExit | undefined;

  constructor(desk: CallDesk, pid: number, group: number, name: string) {
    this.#desk = desk;
    this.pid = pid;
    this.group = group;
    this.name = name;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** End it. Harmless when it has ended. */
  end(exit: ProcessExit): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#exit = exit;
    for (const action of this.#endings) action();
  }

  /** Power cut: no handler runs, nothing is closed. */
  freeze(): void {
    this.#alive = false;
  }

  /** Call `action` when it ends, however that happens; the power's going excepted. */
  onEnd(action: () => void): void {
    if (this.#alive) this.#endings.push(action);
    else action();
  }

  onSignal(name: SignalName, action: () => void): () => void {
    const actions = this.#signalActions.get(name) ?? new Set();
    this.#signalActions.set(name, actions);
    actions.add(action);
    return () => actions.delete(action);
  }

  /** A signal arrives: the program's own action is called, or it ends as the kernel would end it. */
  signal(name: SignalName): void {
    if (!this.#alive) return;
    const actions = this.#signalActions.get(name);
    if (name === "SIGKILL" || actions === undefined || actions.size === 0) this.end({ signal: name });
    else for (const action of [...actions]) action();
  }

  /** A call that takes effect now and is answered as soon as the caller awaits it. */
  call<T>(name: string, subject: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.#begin(name, subject);
      if (call === undefined) return;
      const { observer } = this.#desk;
      const latencyMs = observer.latencyMs?.(call) ?? 0;
      const fault = observer.fault?.(call);
      let settle: () => void;
      try {
        if (fault !== undefined) throw fault;
        const value = effect();
        settle = () => resolve(value);
      } catch (error) {
        settle = () => reject(error);
      }
      this.#answer(latencyMs, settle);
      observer.after?.(call);
    });
  }

  /**
   * A call that is answered later: `effect` is made now, and calls `done` or `failed` once, whenever.
   * An answer that comes after the process has ended is dropped.
   */
  callThatWaits<T>(
    name: string,
    subject: string,
    effect: (done: (value: T) => void, failed: (error: unknown) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = this.#begin(name, subject);
      if (call === undefined) return;
      const { observer } = this.#desk;
      const latencyMs = observer.latencyMs?.(call) ?? 0;
      const fault = observer.fault?.(call);
      if (fault === undefined) {
        effect(
          (value) => this.#answer(latencyMs, () => resolve(value)),
          (error) => this.#answer(latencyMs, () => reject(error)),
        );
      } else this.#answer(latencyMs, () => reject(fault));
      observer.after?.(call);
    });
  }

  /** How much of the free space at `path`, in bytes, the program is told of. */
  toldFree(path: string, bytes: number): number {
    return this.#desk.observer.freeBytes?.(path, bytes) ?? bytes;
  }

  /** @returns `undefined` if the process has ended, or ends with this call: then nothing comes of it. */
  #begin(name: string, subject: string): DoorCall | undefined {
    if (!this.#alive) return undefined;
    const call: DoorCall = { number: this.#desk.nextCall(), process: this.name, name, subject };
    this.#desk.observer.before?.(call);
    return this.#alive ? call : undefined;
  }

  #answer(latencyMs: number, settle: () => void): void {
    if (!this.#alive) return;
    if (latencyMs <= 0) settle();
    else
      this.#desk.time.after(latencyMs, () => {
        if (this.#alive) settle();
      });
  }

  /** A timer that goes off only while the process runs. */
  after(delayMs: number, action: () => void): Timer {
    if (!this.#alive) return { cancel: () => undefined };
    return this.#desk.time.after(delayMs, () => {
      if (this.#alive) action();
    });
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }
}
