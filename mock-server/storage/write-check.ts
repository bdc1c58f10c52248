import type { Clock } from "@upkeep/shared/system";
import type { Storage } from "./storage.ts";

/** A result is reused for this long, in milliseconds. */
const GOOD_MS = 5_000;
const ROW = "write-check";

/** Tests whether the records can be written, at a bounded rate. */
export class WriteCheck {
  readonly #storage: Storage;
  readonly #clock: Pick<Clock, "monotonic" | "now">;
  #last: { readonly atMs: number; readonly result: Promise<void> } | undefined;

  constructor(storage: Storage, clock: Pick<Clock, "monotonic" | "now">) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Rejects with the error of the write. */
  check(): Promise<void> {
    const atMs = this.#clock.monotonic();
    if (this.#last !== undefined && atMs - this.#last.atMs < GOOD_MS) return this.#last.result;
    const result = this.#storage.transaction(({ sequences }) => sequences.put(ROW, this.#clock.now()));
    this.#last = { atMs, result };
    return result;
  }
}
