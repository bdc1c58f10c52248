/** Ratio of neighbouring buckets; the error of a figure is at most half of it. */
const RATIO = 1.05;
const LEAST_MS = 0.01;
const BUCKETS = 400;

/** A histogram of durations: memory and time per value do not grow with their number. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #longestMs = 0;

  note(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log(RATIO));
    const at = Math.min(bucket, BUCKETS - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count++;
    this.#longestMs = Math.max(this.#longestMs, ms);
  }

  get count(): number {
    return this.#count;
  }

  get longestMs(): number {
    return this.#longestMs;
  }

  /** The duration in milliseconds that `share` (0 to 1) of the values do not exceed; 0 without values. */
  percentile(share: number): number {
    if (this.#count === 0 || share >= 1) return this.#longestMs;
    let left = Math.ceil(this.#count * share);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return Math.min(LEAST_MS * RATIO ** (bucket + 0.5), this.#longestMs);
    }
    return this.#longestMs;
  }
}
