import { ArtifactError } from "../errors.ts";
import { OUTPUT_BYTES } from "./engine.ts";
import type { Turn } from "./turns.ts";

/** A decoder that does a bounded amount of work at a time, and has a bounded amount of memory. */
export interface SteppedDecoder {
  /** It has used up its input, and given all output that this brings. */
  readonly wantsInput: boolean;
  /** Give it its next input, at most `TURN_BYTES`; only when it wants some. */
  supply(input: Uint8Array): void;
  /** @returns At most 128 KiB of output. @throws ArtifactError if the data is damaged. */
  step(): Uint8Array;
  /** Tell it that there is no more input. @returns Whether that is where the compressed data may end. */
  end(): boolean;
}

/**
 * Run `source`, in pieces of at most `TURN_BYTES`, through a decoder. Each of them, and each 256 KiB that
 * they bring, begins with a turn. Nothing is decoded before it is asked for.
 * @param where What is being decompressed, for messages.
 */
export async function* decodeInSteps(
  decoder: SteppedDecoder,
  source: AsyncIterable<Uint8Array>,
  where: string,
  turn: Turn,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    decoder.supply(piece);
    for (let given = OUTPUT_BYTES; !decoder.wantsInput; ) {
      if (given >= OUTPUT_BYTES) {
        await turn();
        given = 0;
      }
      const output = decoder.step();
      given += output.length;
      if (output.length > 0) yield output;
    }
  }
  if (!decoder.end()) throw new ArtifactError("truncated", `${where}: the compressed data ends too early`);
}
