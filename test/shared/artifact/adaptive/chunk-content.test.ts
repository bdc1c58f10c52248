import { Zstd } from "@hpcc-js/wasm-zstd";
import { ArtifactError } from "@upkeep/shared/artifact";
import { ChunkDecoder } from "@upkeep/shared/artifact/adaptive";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesOf } from "./support.ts";

let zstd: Zstd;
beforeAll(async () => {
  zstd = await Zstd.load();
});

/** Compressible, with a part that is not, so that it takes several pieces of input. */
const content = Buffer.concat([Buffer.from("word ".repeat(4000)), bytesOf(40_000, 1)]);

describe("a chunk", () => {
  it.each([100, 255, 256, 300, 60_000])("of %d bytes is decoded as it was compressed, again and again", (length) => {
    const decoder = new ChunkDecoder();
    const bytes = content.subarray(0, length);
    const stored = zstd.compress(bytes, 19);
    for (let turn = 0; turn < 3; turn += 1)
      expect(bytes.equals(decoder.decode(stored, new Uint8Array(length)))).toBe(true);
  });

  it("that is as long as its content is stored as it is", () => {
    const decoded = new ChunkDecoder().decode(content.subarray(0, 100), Buffer.alloc(100));
    expect(decoded).toEqual(content.subarray(0, 100));
  });

  it.each<[string, () => Uint8Array, number]>([
    ["is no frame", () => bytesOf(5000, 2), 10_000],
    ["is empty", () => Buffer.alloc(0), 10_000],
    ["states another size", () => zstd.compress(content.subarray(0, 9000), 3), 10_000],
    ["is cut", () => zstd.compress(content, 3).subarray(0, 30_000), content.length],
    ["is cut in its header", () => zstd.compress(content, 3).subarray(0, 8), content.length],
    ["has bytes behind it", () => Buffer.concat([zstd.compress(content, 3), Buffer.alloc(5)]), content.length],
    ["has a second frame", () => Buffer.concat([zstd.compress(content, 3), zstd.compress(content, 3)]), content.length],
    ["states no size, and so a window of its own", () => streamed(content), content.length],
    ["claims to have four gigabytes", () => claiming(0xffff_ffff), content.length],
  ])("that %s is refused, and the next one is decoded", (_, stored, length) => {
    const decoder = new ChunkDecoder();
    expect(() => decoder.decode(stored(), new Uint8Array(length))).toThrow(ArtifactError);
    expect(content.equals(decoder.decode(zstd.compress(content, 3), new Uint8Array(content.length)))).toBe(true);
  });
});

/** A frame written piece by piece, which does not state its size. */
function streamed(bytes: Uint8Array): Uint8Array {
  zstd.reset();
  const pieces = [zstd.compressChunk(bytes), zstd.compressEnd()];
  return Buffer.concat(pieces);
}

/** A frame whose header states another size than its content has. */
function claiming(size: number): Uint8Array {
  const frame = Buffer.from(zstd.compress(content.subarray(0, 1000), 3));
  return Buffer.concat([
    frame.subarray(0, 4),
    Buffer.from([0xa0]),
    Buffer.from(Uint32Array.of(size).buffer),
    frame.subarray(7),
  ]);
}
