import zlib from "node:zlib";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { AHEAD, damaged, decompressWith, type Engine } from "./engine.ts";
import { type ZstdPiece, zstdPieces } from "./zstd-frames.ts";

/** What `node:zlib` has from Node 22.15 on; the types of the oldest Node that we run on do not know it. */
interface ZstdOfNode {
  createZstdDecompress(options: object): Engine;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

function zstdOfNode(): ZstdOfNode | undefined {
  return "createZstdDecompress" in zlib ? (zlib as unknown as ZstdOfNode) : undefined;
}

async function* bytesOf(pieces: AsyncIterable<ZstdPiece>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) if (piece.bytes.length > 0) yield piece.bytes;
}

/**
 * Decompress in JavaScript, block by block: a block gives at most 128 KiB, so memory is bounded by the window
 * whatever the ratio.
 */
export async function* unzstdPortably(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const output: Uint8Array[] = [];
  let decoder = new Decompress();
  for await (const { kind, bytes } of zstdPieces(source, where)) {
    try {
      if (kind === "header") decoder = new Decompress((piece) => output.push(piece));
      decoder.push(bytes, kind === "end");
    } catch (error) {
      throw damaged(where, error);
    }
    for (const piece of output.splice(0)) if (piece.length > 0) yield piece;
  }
}

/** Decompress zstd: by Node itself where it can, else in JavaScript. */
export function unzstd(source: AsyncIterable<Uint8Array>, where: string): AsyncIterable<Uint8Array> {
  const native = zstdOfNode();
  if (native === undefined) return unzstdPortably(source, where);
  const windowLog = Math.log2(ARTIFACT_LIMITS.windowBytesMax);
  const engine = native.createZstdDecompress({
    ...AHEAD,
    params: { [native.constants.ZSTD_d_windowLogMax]: windowLog },
  });
  return decompressWith(engine, bytesOf(zstdPieces(source, where)), where);
}
