import type { Timers } from "@upkeep/shared/system";

/**
 * A wait that can be ended early, one at a time. It uses no signal: Node makes each signal an object with a hidden class
 * of its own, which takes memory and slows down the code that uses it.
 */
export class Wait {
  #end: (() => void) | undefined;

  get isUnderWay(): boolean {
    return this.#end !== undefined;
  }

  /**
   * @param pauseMs How long it takes if it is not ended.
   * @returns True, when it is over.
   */
  begin(timers: Pick<Timers, "after">, pauseMs: number): Promise<true> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#end = undefined;
        timer.cancel();
        resolve(true);
      };
      const timer = timers.after(pauseMs, end);
      this.#end = end;
    });
  }

  /** Ends it now. Without a wait it does nothing. */
  end(): void {
    this.#end?.();
  }
}
