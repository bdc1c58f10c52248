import { ArtifactError } from "../errors.ts";
import { damaged } from "./decoder.ts";
import type { SteppedDecoder } from "./stepping.ts";
import { instantiate } from "./wasm/load.ts";
import { XZ_WASM } from "./wasm/xz.ts";

/** The module's exports of XZ Embedded. Numbers are pointers and sizes of 32 bits. */
interface XzEmbedded {
  readonly memory: { readonly buffer: ArrayBuffer };
  create_context(): number;
  supply_input(context: number, bytes: number): void;
  get_next_output(context: number): number;
}

/** Positions in the context, in words of 32 bits: the size of both buffers, and `xz_buf`. */
const CONTEXT = { bufferBytes: 0, input: 1, used: 2, inputBytes: 3, output: 4, given: 5 } as const;
const CONTEXT_WORDS = 6;

/** `xz_ret`. */
const OK = 0;
const STREAM_END = 1;
const UNSUPPORTED_CHECK = 2;
const NO_MEMORY = 3;
const MEMORY_LIMIT = 4;
const UNKNOWN_FORMAT = 5;
const UNSUPPORTED_OPTIONS = 6;
/** Returned when the decoder needs input. */
const NO_PROGRESS = 8;

/**
 * Decodes xz streams, one behind the other, with XZ Embedded: LZMA2 with a dictionary of at most 64 MiB, which is what
 * `xz -9` uses. Input of no bytes tells it that there is no more.
 */
export class XzDecoder implements SteppedDecoder {
  readonly #xz: XzEmbedded;
  readonly #where: string;
  readonly #context: number;
  #hasMore = false;

  constructor(where: string) {
    this.#xz = instantiate(XZ_WASM) as XzEmbedded;
    this.#where = where;
    this.#context = this.#xz.create_context();
    if (this.#context === 0) throw new Error(`${where}: xz has no memory for its buffers`);
  }

  get #words(): Uint32Array {
    return new Uint32Array(this.#xz.memory.buffer, this.#context, CONTEXT_WORDS);
  }

  get wantsInput(): boolean {
    const words = this.#words;
    return words[CONTEXT.used] === words[CONTEXT.inputBytes] && !this.#hasMore;
  }

  supply(input: Uint8Array): void {
    const words = this.#words;
    const [bufferBytes = 0, start] = words;
    new Uint8Array(this.#xz.memory.buffer, start, bufferBytes).set(input);
    this.#xz.supply_input(this.#context, input.length);
  }

  step(): Uint8Array {
    const result = this.#xz.get_next_output(this.#context);
    if (result !== OK && result !== NO_PROGRESS) throw this.#fault(result);
    const words = this.#words;
    const given = words[CONTEXT.given] ?? 0;
    const start = words[CONTEXT.output] ?? 0;
    this.#hasMore = given === words[CONTEXT.bufferBytes];
    words[CONTEXT.given] = 0;
    return new Uint8Array(this.#xz.memory.buffer).slice(start, start + given);
  }

  end(): boolean {
    this.#xz.supply_input(this.#context, 0);
    const result = this.#xz.get_next_output(this.#context);
    if (result === OK || result === NO_PROGRESS) return false;
    if (result === STREAM_END) return true;
    throw this.#fault(result);
  }

  #fault(result: number): ArtifactError {
    if (result === MEMORY_LIMIT || result === NO_MEMORY) {
      const message = `${this.#where}: xz needs a larger dictionary than 64 MiB`;
      return new ArtifactError("compression-window-too-large", message);
    }
    if (result === UNSUPPORTED_CHECK || result === UNSUPPORTED_OPTIONS) {
      const message = `${this.#where}: xz must use LZMA2 alone, and CRC32, CRC64, SHA-256 or no check; this stream uses another`;
      return new ArtifactError("compression-unsupported", message);
    }
    return damaged(this.#where, result === UNKNOWN_FORMAT ? "it does not start like xz" : "a part of xz is malformed");
  }
}
