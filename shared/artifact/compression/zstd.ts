import zlib from "node:zlib";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { AHEAD, decompressWith, type Engine } from "./decoder.ts";
import { decodeInSteps } from "./stepping.ts";
import { gathered, inTurns, nextTurn, type Turn } from "./turns.ts";
import { zstdPieces } from "./zstd-frames.ts";

/** `node:zlib` has this from Node 22.15 on; the types of Node 20 do not declare it. */
interface ZstdOfNode {
  createZstdDecompress(options: object): Engine;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

function zstdOfNode(): ZstdOfNode | undefined {
  return "createZstdDecompress" in zlib ? (zlib as unknown as ZstdOfNode) : undefined;
}

/** The rest of an iteration up to the first item for which `isEnd` holds; the iteration stays open. */
async function* rest(
  pieces: AsyncIterator<Uint8Array>,
  isEnd: (piece: Uint8Array) => boolean = () => false,
): AsyncGenerator<Uint8Array> {
  for (let next = await pieces.next(); next.done !== true && !isEnd(next.value); next = await pieces.next()) {
    yield next.value;
  }
}

/** Decompresses in WebAssembly. The window bounds the memory, at any compression ratio. */
export async function* unzstdPortably(
  source: AsyncIterable<Uint8Array>,
  where: string,
  turn = nextTurn,
): AsyncGenerator<Uint8Array> {
  yield* decodePortably(zstdPieces(inTurns(source, turn), where), where, turn);
}

async function* decodePortably(
  pieces: AsyncIterable<Uint8Array>,
  where: string,
  turn: Turn,
): AsyncGenerator<Uint8Array> {
  const { ZstdDecoder } = await import("./zstd-decoder.ts");
  yield* decodeInSteps(new ZstdDecoder(where), gathered(pieces), where, turn);
}

/**
 * Decompresses the first frame with Node's own decoder, in a thread. That decoder stops after each frame and a stream
 * may have a million frames, so WebAssembly decodes the frames after the first, which few streams have.
 */
async function* unzstdByNode(
  native: ZstdOfNode,
  source: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array> {
  const windowLog = Math.log2(ARTIFACT_LIMITS.windowBytesMax);
  const params = { [native.constants.ZSTD_d_windowLogMax]: windowLog };
  const pieces = zstdPieces(inTurns(source, nextTurn), where);
  try {
    const frame = rest(pieces, (piece) => piece.length === 0);
    yield* decompressWith(native.createZstdDecompress({ ...AHEAD, params }), gathered(frame), where);
    const next = await pieces.next();
    if (next.done === true) return;
    const others = async function* (): AsyncGenerator<Uint8Array> {
      yield next.value;
      yield* rest(pieces);
    };
    yield* decodePortably(others(), where, nextTurn);
  } finally {
    await pieces.return(undefined);
  }
}

/** Decompress zstd: by Node itself where it can, else in WebAssembly. */
export function unzstd(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  const native = zstdOfNode();
  return native === undefined ? unzstdPortably(source, where) : unzstdByNode(native, source, where);
}
