import type { Storage } from "./storage.ts";

/** What must follow a transaction, and needs one of its own. */
type Task = (storage: Storage) => Promise<void>;

/**
 * Tasks that run after the commit of a transaction and before its caller goes on. A process that dies in between leaves
 * them undone: housekeeping must find what is left.
 */
export class AfterCommit {
  readonly #tasks = new Map<string, Task>();

  /** @param name Tasks of one name run once. */
  add(name: string, task: Task): void {
    this.#tasks.set(name, task);
  }

  get tasks(): readonly Task[] {
    return [...this.#tasks.values()];
  }
}
