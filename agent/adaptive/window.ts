import type { Segment } from "@upkeep/shared/artifact/adaptive";

/** Bytes that are put together at a time, if no chunk may be longer. */
const WINDOW_BYTES = 128 * 1024;
/** What is at least as long is handed on by itself, without a copy. */
const ALONE_BYTES_MIN = 64 * 1024;
/** A window is valid until two more were requested: the reader of an artifact asks for that. */
const BUFFERS = 3;

/** A use of a chunk in a window. */
export interface ChunkUse {
  readonly chunk: number;
  /** Number of the use in the artifact. */
  readonly use: number;
  /** Place in the flattened artifact. */
  readonly offset: number;
  /** Its part of the window. */
  readonly room: Uint8Array;
}

/** A piece of the flattened artifact; `uses` are not filled in yet. */
export interface Window {
  readonly bytes: Uint8Array;
  readonly uses: readonly ChunkUse[];
}

/** Zeros, in pieces. */
export function* zeros(count: number): Generator<Uint8Array> {
  const piece = new Uint8Array(Math.min(count, ALONE_BYTES_MIN));
  for (let left = count; left > 0; left -= piece.length) yield piece.subarray(0, left);
}

/** Divides segments into windows. */
export class Windows {
  readonly #bytes: number;
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;
  #buffer: Uint8Array;
  #filled = 0;
  #uses: ChunkUse[] = [];
  #use = 0;

  /** @param chunkBytesMax The longest chunk. */
  constructor(chunkBytesMax: number) {
    this.#bytes = Math.max(WINDOW_BYTES, chunkBytesMax);
    this.#buffer = this.#nextBuffer();
  }

  *of(segments: Iterable<Segment>): Generator<Window> {
    for (const segment of segments) {
      const { kind, lengthBytes, offset } = segment;
      const isAlone = kind !== "chunk" && lengthBytes >= ALONE_BYTES_MIN;
      if (isAlone || this.#filled + lengthBytes > this.#buffer.length) yield* this.#flush();
      if (segment.kind === "chunk") {
        this.#uses.push({ chunk: segment.chunk, use: this.#use, offset, room: this.#room(lengthBytes) });
        this.#use += 1;
      } else if (!isAlone) {
        if (segment.kind === "literal") this.#room(lengthBytes).set(segment.bytes);
        else this.#room(lengthBytes).fill(0);
      } else if (segment.kind === "literal") yield { bytes: segment.bytes, uses: [] };
      else for (const bytes of zeros(lengthBytes)) yield { bytes, uses: [] };
    }
    yield* this.#flush();
  }

  #room(length: number): Uint8Array {
    this.#filled += length;
    return this.#buffer.subarray(this.#filled - length, this.#filled);
  }

  *#flush(): Generator<Window> {
    if (this.#filled === 0) return;
    const window: Window = { bytes: this.#buffer.subarray(0, this.#filled), uses: this.#uses };
    this.#buffer = this.#nextBuffer();
    this.#filled = 0;
    this.#uses = [];
    yield window;
  }

  #nextBuffer(): Uint8Array {
    const buffer = this.#buffers[this.#turn] ?? new Uint8Array(this.#bytes);
    this.#buffers[this.#turn] = buffer;
    this.#turn = (this.#turn + 1) % (BUFFERS + 1);
    return buffer;
  }
}
