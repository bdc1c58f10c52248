import { decodeInSteps } from "./stepping.ts";
import { gathered, inTurns, nextTurn } from "./turns.ts";
import { BlockChecks, xzPieces } from "./xz-blocks.ts";
import { XzDecoder } from "./xz-decoder.ts";

/** Decompresses xz in WebAssembly. The dictionary bounds the memory, at any compression ratio. */
export async function* unxz(
  source: AsyncIterable<Uint8Array>,
  where: string,
  turn = nextTurn,
): AsyncGenerator<Uint8Array> {
  const checks = new BlockChecks(where);
  const pieces = gathered(xzPieces(inTurns(source, turn), where, checks));
  for await (const output of decodeInSteps(new XzDecoder(where), pieces, where, turn)) {
    checks.decoded(output);
    yield output;
  }
  checks.decoded(new Uint8Array(0));
}
