import type { System } from "@upkeep/shared/system";

/** What it takes to see that one has kept others waiting, and to let them go first. */
export type Pace = Pick<System, "clock" | "timers">;

/** A thread beside the program's own, which answers one question after the other. */
export interface Assistant {
  /** Rejects if it has ended, or its program failed. */
  ask(question: unknown): Promise<unknown>;
  /** To be called when nothing is asked any more. */
  end(): Promise<void>;
}

/** Where threads come from. */
export interface Workers {
  /**
   * @param program CommonJS. It leaves a function in `module.exports`, which makes of `data` another one, which
   *   makes of each question its answer.
   */
  start(program: string, data: unknown): Assistant;
}
