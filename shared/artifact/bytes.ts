import type { ArtifactContent } from "./types.ts";

const NOTHING = new Uint8Array(0);

/** Pieces of up to this size are copied. */
const COPIED_BYTES_MAX = 64;

/** Cuts a stream of chunks into pieces of the sizes that a parser needs, without copying large ones. */
export class ByteReader {
  readonly #source: ArtifactContent;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = NOTHING;
  #ended = false;
  #position = 0;

  constructor(source: ArtifactContent) {
    this.#source = source;
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Bytes handed out so far. */
  get position(): number {
    return this.#position;
  }

  /** Resolves to false at the end of the stream. */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      if (this.#ended) return false;
      const next = await this.#iterator.next();
      if (next.done === true) this.#ended = true;
      else this.#chunk = next.value;
    }
    return true;
  }

  #take(count: number): Uint8Array {
    const piece = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(piece.length);
    this.#position += piece.length;
    return piece;
  }

  /** The bytes at hand, between 1 and `maxBytes`; `undefined` at the end of the stream. */
  async some(maxBytes: number): Promise<Uint8Array | undefined> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return undefined;
    return this.#take(maxBytes);
  }

  /**
   * `count` bytes, or fewer only where the stream ends. They are valid until the next call, for the source may reuse its
   * buffers; up to 64 bytes are a copy that the caller may keep.
   */
  async upTo(count: number): Promise<Uint8Array> {
    if (count > COPIED_BYTES_MAX && this.#chunk.length >= count) return this.#take(count);
    const result = new Uint8Array(count);
    let filled = 0;
    while (filled < count && (await this.#fill())) {
      const piece = this.#take(count - filled);
      result.set(piece, filled);
      filled += piece.length;
    }
    return result.subarray(0, filled);
  }

  /** Skips `count` bytes, without reading them if the source supports that. @returns The number of bytes skipped. */
  async skip(count: number): Promise<number> {
    let left = count - this.#take(count).length;
    if (left > 0 && this.#source.skip !== undefined) {
      await this.#source.skip(left);
      this.#position += left;
      left = 0;
    }
    while (left > 0 && (await this.#fill())) left -= this.#take(left).length;
    return count - left;
  }

  /** Stops reading and releases the source. May be called after the end. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#chunk = NOTHING;
    await this.#iterator.return?.();
  }
}

/** Copies of the chunks of a source, which may reuse its buffers (`readChunks`): for consumers that keep several. */
export async function* copied(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Uint8Array.from(chunk);
}
