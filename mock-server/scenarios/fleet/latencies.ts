/** Neighbouring buckets differ by so much: figures are good to half of it. */
const RATIO = 1.05;
const LEAST_MS = 0.01;
const BUCKETS = 400;

/** How long things took: memory and the time to note one do not grow with their number. */
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

  /** So long took at most `share` (0 to 1) of them, in milliseconds; 0 if there were none. */
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
