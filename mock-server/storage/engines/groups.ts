import type { Work } from "./engine.ts";

/** What an engine does for a group of writes. All but `sync` are called one after the other. */
export interface GroupPort {
  /** Open a transaction that no other process can come between. */
  begin(): Promise<void>;
  /** Do one write. If it rejects, nothing of it remains, and the transaction goes on. */
  attempt<T>(work: Work<T>): Promise<T>;
  /** Make the transaction's writes visible to all. If it rejects, nothing of the transaction remains. */
  commit(): Promise<void>;
  /** Undo the transaction, however far it got. */
  rollback(): Promise<void>;
  /** Resolves when everything that was committed before survives a power cut. */
  sync(): Promise<void>;
}

interface Waiting {
  readonly work: Work<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A write that was done, with the answer that it is told once the group is durable. */
type Told = () => void;

/** A group that is larger makes its first writes wait for long. */
const GROUP_MAX = 64;

/**
 * Writes, one after the other, that share transactions and syncs.
 *
 * While the disk syncs one group, the next is already done in an open transaction, which is committed as
 * soon as the disk is ready for it: an idle server acknowledges a write after one sync, a busy one many.
 *
 * INVARIANTS
 * - No write is answered, with yes or no, before everything that it could see is durable.
 * - A write that fails takes back nothing of the others in its group.
 * - After a sync failed nothing is written any more: what the disk has is not known.
 */
export class GroupedWrites {
  readonly #port: GroupPort;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Set while a group is being synced. */
  #syncing: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #broken: { readonly error: unknown } | undefined;

  constructor(port: GroupPort) {
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

  /** Resolves when no write is under way or waits for one. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#syncing !== undefined) {
      await this.#running;
      await this.#syncing;
    }
  }

  async #drain(): Promise<void> {
    // Requests of the same turn of the event loop form the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#group();
    this.#running = undefined;
  }

  #checkDisk(): void {
    if (this.#broken !== undefined) throw this.#broken.error;
  }

  async #group(): Promise<void> {
    const told: Told[] = [];
    const refused: Waiting["reject"][] = [];
    try {
      this.#checkDisk();
      await this.#port.begin();
      try {
        await this.#fill(told, refused);
        await this.#syncing;
        this.#checkDisk();
        await this.#port.commit();
      } catch (error) {
        await this.#port.rollback();
        throw error;
      }
    } catch (error) {
      // Nothing was done: neither for those who were in the group nor, if it never began, for the next one.
      if (refused.length === 0) refused.push(...this.#waiting.splice(0, GROUP_MAX).map(({ reject }) => reject));
      for (const reject of refused) reject(error);
      return;
    }
    this.#syncing = this.#sync(told, refused);
  }

  /** Do what waits, and what comes while the disk is busy with the group before. */
  async #fill(told: Told[], refused: Waiting["reject"][]): Promise<void> {
    for (;;) {
      while (this.#waiting.length > 0 && told.length < GROUP_MAX) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        refused.push(next.reject);
        told.push(await this.#attempt(next));
      }
      if (this.#syncing === undefined || told.length >= GROUP_MAX) return;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#waiting.length === 0) await Promise.race([this.#syncing, woken]);
    }
  }

  async #attempt({ work, resolve, reject }: Waiting): Promise<Told> {
    try {
      const value = await this.#port.attempt(work);
      return () => resolve(value);
    } catch (error) {
      return () => reject(error);
    }
  }

  async #sync(told: readonly Told[], refused: readonly Waiting["reject"][]): Promise<void> {
    try {
      await this.#port.sync();
      this.#syncing = undefined;
      for (const tell of told) tell();
    } catch (error) {
      this.#syncing = undefined;
      this.#broken = { error };
      for (const reject of refused) reject(error);
    }
  }
}
