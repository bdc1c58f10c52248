import { gzipSync } from "node:zlib";
import type { Compression, Decompressor } from "@upkeep/shared/artifact";
import { describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { gunzip } from "../../../shared/artifact/compression/gzip.ts";
import { unxz } from "../../../shared/artifact/compression/xz.ts";
import { unzstd, unzstdPortably } from "../../../shared/artifact/compression/zstd.ts";
import { entryOf, HOSTILE, hostileArtifact, ZEROS } from "./hostile.ts";
import { chunked, collect, refusal } from "./support.ts";

const MIB = 1024 * 1024;

/** Each decompressor, and its compression; the portable one of zstd also where Node has its own. */
const DECOMPRESSORS: Readonly<Record<string, [Compression, Decompressor]>> = {
  gzip: ["gzip", gunzip],
  xz: ["xz", unxz],
  zstd: ["zstd", unzstd],
  "zstd in WebAssembly": ["zstd", unzstdPortably],
};

/** Bytes that a decompressor may have read or made ahead of its consumer: a few pieces, whatever the ratio. */
const AHEAD_BYTES_MAX = 2 * MIB;

async function compressed(compression: Compression, plain: Uint8Array): Promise<Buffer> {
  if (compression === "gzip") return gzipSync(plain);
  const compressor = COMPRESSORS[compression];
  if (compressor === undefined) throw new Error(`no compressor for ${compression}`);
  return await collect(compressor(chunked(plain)));
}

/** Zeros without end: a frame, a member or a stream of 1 MiB again and again. */
async function* endless(part: Uint8Array, taken: { bytes: number }): AsyncGenerator<Uint8Array> {
  for (;;) {
    taken.bytes += part.length;
    yield part;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(Object.keys(DECOMPRESSORS))("%s", (name) => {
  const [compression, decompress] = DECOMPRESSORS[name] ?? ["gzip", gunzip];

  it("stops while its consumer does not read", async () => {
    const part = await compressed(compression, Buffer.alloc(MIB));
    const taken = { bytes: 0 };
    const pieces = decompress(endless(part, taken), "part")[Symbol.asyncIterator]();
    let read = 0;
    for (let count = 0; count < 10; count += 1) read += (await pieces.next()).value?.length ?? 0;
    // Ten times the turns in which it made those pieces, for whatever works in a thread.
    for (let count = 0; count < 1000; count += 1) await turn();
    const expands = MIB / part.length;
    const waiting = taken.bytes * expands - read;
    await pieces.return?.();
    // What it has read of the source is at most one gathered piece of input; what it has made is bounded too.
    expect(waiting).toBeLessThanOrEqual(16 * 1024 * expands + AHEAD_BYTES_MAX);
  });

  it("leaves the event loop its turns, at each piece", async () => {
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      while (!isOver) {
        await turn();
        turns += 1;
      }
    })();
    const plain = Buffer.alloc(8 * MIB);
    let pieces = 0;
    // All of the input at once, as a header is given.
    for await (const piece of decompress(chunked(await compressed(compression, plain), 64 * MIB), "part")) {
      expect(piece.length).toBeLessThanOrEqual(256 * 1024);
      pieces += 1;
    }
    isOver = true;
    await counting;
    expect(turns).toBeGreaterThanOrEqual(pieces / 4);
  });
});

describe("zstd in WebAssembly", () => {
  it.each<[string, Buffer]>([
    ["blocks of nothing", Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50]), Buffer.alloc(3 * MIB)])],
    [
      "frames of nothing, each with 128 MiB of window",
      Buffer.alloc(MIB, Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 1, 0, 0])),
    ],
    ["frames to skip", Buffer.alloc(MIB, Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]))],
  ])("leaves the event loop its turns in %s", async (_, bytes) => {
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      while (!isOver) {
        await turn();
        turns += 1;
      }
    })();
    const error = await collect(unzstdPortably(chunked(bytes, bytes.length), "part")).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    isOver = true;
    await counting;
    if (error !== undefined) expect(error).toMatchObject({ name: "ArtifactError" });
    expect(turns).toBeGreaterThanOrEqual(bytes.length / (16 * 1024) - 1);
  });

  it("refuses a block with more sequences than it can have", async () => {
    const header = entryOf(hostileArtifact("zstd-hang-header"), "header.tar.zst");
    const payload = entryOf(hostileArtifact("signed-swapped-zst"), "data/0000.tar.zst");
    for (const stream of [header, payload]) {
      await expect(collect(unzstdPortably(chunked(stream), "part"))).rejects.toMatchObject({
        code: "compression-damaged",
      });
    }
  });

  it("reads 256 MiB of zeros", async () => {
    const stream = entryOf(hostileArtifact(ZEROS[0]), "data/0000.tar.zst");
    let bytes = 0;
    for await (const piece of unzstdPortably(chunked(stream), "part")) bytes += piece.length;
    expect(bytes).toBeGreaterThan(256 * MIB);
  });
});

describe("the reader", () => {
  it.each(Object.entries(HOSTILE))("refuses %s as %s", async (name, code) => {
    expect(await refusal(hostileArtifact(name))).toMatchObject({ code });
  });
});
