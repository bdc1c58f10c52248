import { ArtifactError } from "../errors.ts";
import { damaged } from "./decoder.ts";
import type { SteppedDecoder } from "./stepping.ts";
import { TURN_BYTES } from "./turns.ts";
import { instantiate } from "./wasm/load.ts";
import { ZSTD_WASM } from "./wasm/zstd.ts";

/** The module's exports of libzstd. Numbers are pointers and sizes of 32 bits. */
interface Libzstd {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  ZSTD_createDCtx(): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

/** One block of zstd. */
const OUTPUT_BYTES = 128 * 1024;
/** Results above are errors: -120 to -1. */
const RESULT_MAX = 0xffff_ff88;

/** ZSTD_ErrorCode. */
const MEANINGS: Readonly<Record<number, string>> = {
  10: "the start of a frame is unknown",
  14: "a frame has a parameter that is not supported",
  20: "a block is malformed",
  22: "its checksum does not match",
  24: "a table of literals is malformed",
  32: "it needs a dictionary",
  64: "there is no memory for its window",
};

/** Decodes consecutive frames with libzstd, whose window limit is 128 MiB. */
export class ZstdDecoder implements SteppedDecoder {
  readonly #zstd: Libzstd;
  readonly #where: string;
  readonly #context: number;
  readonly #input: number;
  readonly #output: number;
  /** ZSTD_inBuffer, and behind it ZSTD_outBuffer: pointer, size, position. */
  readonly #buffers: number;
  #inputLeft = 0;
  #hasMore = false;
  #isBetweenFrames = false;

  constructor(where: string) {
    const env = { emscripten_notify_memory_growth: (): void => undefined };
    const zstd = instantiate(ZSTD_WASM, { env }) as Libzstd;
    this.#zstd = zstd;
    this.#where = where;
    this.#context = this.#allocated(zstd.ZSTD_createDCtx());
    this.#input = this.#allocated(zstd.malloc(TURN_BYTES));
    this.#output = this.#allocated(zstd.malloc(OUTPUT_BYTES));
    this.#buffers = this.#allocated(zstd.malloc(24));
  }

  #allocated(pointer: number): number {
    if (pointer === 0) throw new Error(`${this.#where}: zstd has no memory for its buffers`);
    return pointer;
  }

  get wantsInput(): boolean {
    return this.#inputLeft === 0 && !this.#hasMore;
  }

  supply(input: Uint8Array): void {
    new Uint8Array(this.#zstd.memory.buffer, this.#input, TURN_BYTES).set(input);
    new Uint32Array(this.#zstd.memory.buffer, this.#buffers, 3).set([this.#input, input.length, 0]);
    this.#inputLeft = input.length;
  }

  step(): Uint8Array {
    const { memory } = this.#zstd;
    new Uint32Array(memory.buffer, this.#buffers + 12, 3).set([this.#output, OUTPUT_BYTES, 0]);
    const result = this.#zstd.ZSTD_decompressStream(this.#context, this.#buffers + 12, this.#buffers) >>> 0;
    if (result > RESULT_MAX) throw this.#fault(2 ** 32 - result);
    const [, inputBytes = 0, used = 0, , , given = 0] = new Uint32Array(memory.buffer, this.#buffers, 6);
    this.#inputLeft = inputBytes - used;
    this.#hasMore = given === OUTPUT_BYTES && result !== 0;
    this.#isBetweenFrames = result === 0;
    return new Uint8Array(memory.buffer).slice(this.#output, this.#output + given);
  }

  end(): boolean {
    return this.#isBetweenFrames;
  }

  #fault(code: number): ArtifactError {
    if (code !== 16) return damaged(this.#where, MEANINGS[code] ?? `zstd's error ${code}`);
    return new ArtifactError("compression-window-too-large", `${this.#where}: zstd needs more than 128 MiB of window`);
  }
}
