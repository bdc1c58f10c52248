import zlib from "node:zlib";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { AHEAD, decompressWith, type Engine } from "./engine.ts";
import { decodeInSteps } from "./stepping.ts";
import { gathered, inTurns, nextTurn, type Turn } from "./turns.ts";
import { zstdPieces } from "./zstd-frames.ts";

/** What `node:zlib` has from Node 22.15 on; the types of the oldest Node that we run on do not know it. */
interface ZstdOfNode {
  createZstdDecompress(options: object): Engine;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

function zstdOfNode(): ZstdOfNode | undefined {
  return "createZstdDecompress" in zlib ? (zlib as unknown as ZstdOfNode) : undefined;
}

async function* bytesOf(source: AsyncIterable<Uint8Array>, where: string, turn: Turn): AsyncGenerator<Uint8Array> {
  for await (const piece of zstdPieces(inTurns(source, turn), where)) if (piece.length > 0) yield piece;
}

/** Decompress in WebAssembly. Memory is bounded by the window, whatever the ratio. */
export async function* unzstdPortably(
  source: AsyncIterable<Uint8Array>,
  where: string,
  turn = nextTurn,
): AsyncGenerator<Uint8Array> {
  const { ZstdDecoder } = await import("./zstd-decoder.ts");
  yield* decodeInSteps(new ZstdDecoder(where), gathered(bytesOf(source, where, turn)), where, turn);
}

/** Decompress zstd: by Node itself where it can, else in WebAssembly. */
export function unzstd(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  const native = zstdOfNode();
  if (native === undefined) return unzstdPortably(source, where);
  const windowLog = Math.log2(ARTIFACT_LIMITS.windowBytesMax);
  const engine = native.createZstdDecompress({
    ...AHEAD,
    params: { [native.constants.ZSTD_d_windowLogMax]: windowLog },
  });
  return decompressWith(engine, gathered(bytesOf(source, where, nextTurn)), where);
}
