/** A thread that answers one question after the other. */
export interface WorkerThread {
  /** Rejects if the thread has ended or its program failed. */
  ask(question: unknown): Promise<unknown>;
  /** Call it when no question is pending. */
  end(): Promise<void>;
}

/** Starts threads for work that would block the event loop. */
export interface Workers {
  /**
   * @param program CommonJS. Its `module.exports` is a function that takes `data` and returns a function from question
   *   to answer, or to a promise of it; the promises must be fulfilled in the order of the questions.
   */
  start(program: string, data: unknown): WorkerThread;
}
