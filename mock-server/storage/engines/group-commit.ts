import type { Work } from "./records-engine.ts";

/** The operations of an engine that a group commit needs. Calls do not overlap, except for `sync`. */
export interface GroupCommitPort {
  /** Opens a transaction that excludes the writes of other processes. */
  begin(): Promise<void>;
  /** Runs one write. If it rejects, it is rolled back alone, and the transaction continues. */
  attempt<T>(work: Work<T>): Promise<T>;
  /** Commits. If it rejects, the whole transaction is rolled back. */
  commit(): Promise<void>;
  /** Rolls the transaction back, whatever its state. */
  rollback(): Promise<void>;
  /** Resolves when all earlier commits survive a power cut. */
  sync(): Promise<void>;
}

interface Waiting {
  readonly work: Work<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Settles the promise of a write, once its group is durable. */
type Settle = () => void;

/** A larger group would delay its first writes. */
const GROUP_MAX = 64;

/**
 * Group commit: serialised writes that share transactions and syncs.
 *
 * While the disk syncs one group, the next one runs in an open transaction, which is committed when the disk is free.
 * An idle server syncs each write, a busy one many at once.
 *
 * INVARIANTS
 * - A write resolves or rejects only when everything that it could see is durable.
 * - A write that fails does not affect the others in its group.
 * - After a failed sync all writes fail, because the state of the disk is unknown.
 */
export class GroupCommit {
  readonly #port: GroupCommitPort;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Set while a group is being synced. */
  #syncing: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #broken: { readonly error: unknown } | undefined;

  constructor(port: GroupCommitPort) {
    this.#port = port;
  }

  run<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: (value) => resolve(value as T), reject });
      this.#wake();
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when everything that can be read now is durable. */
  async durable(): Promise<void> {
    await this.#syncing;
    this.#checkDisk();
  }

  /** True if everything that can be read now is durable. */
  get isDurable(): boolean {
    return this.#syncing === undefined && this.#broken === undefined;
  }

  /** Resolves when no write is running or queued. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#syncing !== undefined) {
      await this.#running;
      await this.#syncing;
    }
  }

  async #drain(): Promise<void> {
    // Writes of the same event-loop turn form the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#group();
    this.#running = undefined;
  }

  #checkDisk(): void {
    if (this.#broken !== undefined) throw this.#broken.error;
  }

  async #group(): Promise<void> {
    const settled: Settle[] = [];
    const refused: Waiting["reject"][] = [];
    try {
      this.#checkDisk();
      await this.#port.begin();
      try {
        await this.#fill(settled, refused);
        await this.#syncing;
        this.#checkDisk();
        await this.#port.commit();
      } catch (error) {
        await this.#port.rollback();
        throw error;
      }
    } catch (error) {
      // If the transaction could not begin, the writes that would have been its group are rejected.
      if (refused.length === 0) refused.push(...this.#waiting.splice(0, GROUP_MAX).map(({ reject }) => reject));
      for (const reject of refused) reject(error);
      return;
    }
    this.#syncing = this.#sync(settled, refused);
  }

  /** Runs the queued writes, and those that arrive while the disk syncs the group before. */
  async #fill(settled: Settle[], refused: Waiting["reject"][]): Promise<void> {
    for (;;) {
      while (this.#waiting.length > 0 && settled.length < GROUP_MAX) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        refused.push(next.reject);
        settled.push(await this.#attempt(next));
      }
      if (this.#syncing === undefined || settled.length >= GROUP_MAX) return;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#waiting.length === 0) await Promise.race([this.#syncing, woken]);
    }
  }

  async #attempt({ work, resolve, reject }: Waiting): Promise<Settle> {
    try {
      const value = await this.#port.attempt(work);
      return () => resolve(value);
    } catch (error) {
      return () => reject(error);
    }
  }

  async #sync(settled: readonly Settle[], refused: readonly Waiting["reject"][]): Promise<void> {
    try {
      await this.#port.sync();
      this.#syncing = undefined;
      for (const settle of settled) settle();
    } catch (error) {
      this.#syncing = undefined;
      this.#broken = { error };
      for (const reject of refused) reject(error);
    }
  }
}
