import { decodeInSteps } from "./stepping.ts";
import { inTurns, nextTurn } from "./turns.ts";
import { XzDecoder } from "./xz-decoder.ts";

/** Decompresses xz in WebAssembly. The dictionary bounds the memory, at any compression ratio. */
export async function* unxz(
  source: AsyncIterable<Uint8Array>,
  where: string,
  turn = nextTurn,
): AsyncGenerator<Uint8Array> {
  yield* decodeInSteps(new XzDecoder(where), inTurns(source, turn), where, turn);
}
