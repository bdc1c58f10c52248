import type { ArtifactContent } from "../types.ts";

/** Passes a stream on to a parser and keeps a copy, from which the parser's bytes can be taken afterwards. */
export class Recorded implements ArtifactContent {
  readonly #source: AsyncIterable<Uint8Array>;
  #kept: Uint8Array[] = [];
  #position = 0;
  #recording = true;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      // The source may use its buffer again.
      if (this.#recording) this.#kept.push(Uint8Array.from(chunk));
      yield chunk;
    }
  }

  /** What was not taken yet, up to the offset `end` in the stream, which the parser must have reached. */
  *upTo(end: number): Generator<Uint8Array> {
    while (this.#position < end) {
      const [first] = this.#kept;
      if (first === undefined) throw new RangeError(`the stream was recorded up to ${this.#position}, not to ${end}`);
      const piece = first.subarray(0, end - this.#position);
      if (piece.length === first.length) this.#kept.shift();
      else this.#kept[0] = first.subarray(piece.length);
      this.#position += piece.length;
      yield piece;
    }
  }

  /** Records nothing from now on. */
  stop(): void {
    this.#recording = false;
    this.#kept = [];
  }
}
