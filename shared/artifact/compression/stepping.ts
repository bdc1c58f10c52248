import { cutOff, OUTPUT_BYTES } from "./decoder.ts";
import type { Turn } from "./turns.ts";

/** A decoder that works in bounded steps and uses bounded memory. */
export interface SteppedDecoder {
  /** True when the input is consumed and all of its output was returned. */
  readonly wantsInput: boolean;
  /** Sets the next input of at most `TURN_BYTES`; to be called only when the decoder wants input. */
  supply(input: Uint8Array): void;
  /** @returns At most 128 KiB of output. @throws ArtifactError if the data is damaged. */
  step(): Uint8Array;
  /** Marks the end of the input. @returns True if the compressed data may end here. */
  end(): boolean;
}

/**
 * Runs `source`, in pieces of at most `TURN_BYTES`, through a decoder. It yields to the event loop before each piece
 * and before each 256 KiB of output, and decodes only on demand.
 * @param where Name of the entry, for messages.
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
  if (!decoder.end()) throw cutOff(where);
}
