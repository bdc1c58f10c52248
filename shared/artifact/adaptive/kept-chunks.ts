/** What chunks that are used again may take in memory. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Which fetched chunks are kept in memory because they are used again later. The plan and the download decide it by the
 * same rule, so that the plan knows what will be fetched twice.
 */
export class KeptChunks<Content> {
  readonly #usesLeft: Uint32Array;
  readonly #contents = new Map<number, Content>();
  readonly #lengths: Uint32Array;
  #bytes = 0;

  /** @param uses How often each chunk is used. */
  constructor(uses: Uint32Array, lengths: Uint32Array) {
    this.#usesLeft = Uint32Array.from(uses);
    this.#lengths = lengths;
  }

  get(chunk: number): Content | undefined {
    return this.#contents.get(chunk);
  }

  /**
   * A use of `chunk` is over.
   * @param content Gives what was fetched for it, to keep; absent if it was not fetched.
   */
  used(chunk: number, content?: () => Content): void {
    const left = (this.#usesLeft[chunk] ?? 1) - 1;
    this.#usesLeft[chunk] = left;
    const length = this.#lengths[chunk] ?? 0;
    if (left === 0) {
      if (this.#contents.delete(chunk)) this.#bytes -= length;
    } else if (content !== undefined && !this.#contents.has(chunk) && this.#bytes + length <= KEPT_BYTES_MAX) {
      this.#contents.set(chunk, content());
      this.#bytes += length;
    }
  }
}
