import type { StoredRange } from "@upkeep/shared/artifact/adaptive";
import type { ArtifactRanges } from "../server/deployment-server.ts";

/** Ranges that are being fetched, or wait to be used. With the one in use they bound the memory. */
const AHEAD = 4;

interface Fetched extends StoredRange {
  readonly bytes: Promise<Uint8Array>;
}

/** Fetches the ranges of a plan ahead of their use, in their order. */
export class RangeQueue {
  readonly #ranges: ArtifactRanges;
  readonly #planned: readonly StoredRange[];
  readonly #ahead: Fetched[] = [];
  #next = 0;
  #current: (StoredRange & { readonly bytes: Uint8Array }) | undefined;

  constructor(ranges: ArtifactRanges, planned: readonly StoredRange[]) {
    this.#ranges = ranges;
    this.#planned = planned;
  }

  /** The bytes from `start` up to `end` of the file of chunks, which the current or the next range has. */
  async take(start: number, end: number): Promise<Uint8Array> {
    let current = this.#current;
    while (current === undefined || start < current.start || end > current.end) {
      this.#fill();
      const next = this.#ahead.shift();
      if (next === undefined) throw new RangeError(`no range is planned for the bytes from ${start} to ${end}`);
      // The memory of the last range is free before the next one is taken.
      this.#current = undefined;
      current = { start: next.start, end: next.end, bytes: await next.bytes };
      this.#current = current;
      this.#fill();
    }
    return current.bytes.subarray(start - current.start, end - current.start);
  }

  #fill(): void {
    while (this.#ahead.length < AHEAD) {
      const range = this.#planned[this.#next];
      if (range === undefined) return;
      this.#next += 1;
      const bytes = this.#ranges.read("chunks", range.start, range.end);
      // Awaited when it is used; until then a rejection must not count as unhandled.
      bytes.catch(() => undefined);
      this.#ahead.push({ ...range, bytes });
    }
  }
}
