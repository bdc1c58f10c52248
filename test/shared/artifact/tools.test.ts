import { execFileSync, spawnSync } from "node:child_process";
import zlib from "node:zlib";
import { ArtifactError, type Decompressor } from "@upkeep/shared/artifact";
import { describe, expect, it } from "vitest";
import { unxz } from "../../../shared/artifact/compression/xz.ts";
import { unzstd, unzstdPortably } from "../../../shared/artifact/compression/zstd.ts";
import { fc } from "../../support/fast-check.ts";
import { chunked, collect } from "./support.ts";

/** Programs that need not be installed everywhere, but are where all tests must run. */
function isInstalled(tool: string): boolean {
  if (spawnSync(tool, ["--version"]).status === 0) return true;
  const missing = `this test needs ${tool}: apt-get install xz-utils zstd`;
  if (process.env.CI) throw new Error(missing);
  process.stderr.write(`Skipped: ${missing}\n`);
  return false;
}

function run(tool: string, options: readonly string[], input: Uint8Array): Buffer {
  return execFileSync(tool, [...options], { input, maxBuffer: 512 * 1024 * 1024, stdio: "pipe" });
}

const DECOMPRESSORS: readonly (readonly [string, string, Decompressor])[] = [
  ["xz", "xz", unxz],
  // The same as the one in WebAssembly, where Node has none.
  ...("createZstdDecompress" in zlib ? [["zstd", "zstd", unzstd] as const] : []),
  ["zstd in WebAssembly", "zstd", unzstdPortably],
];

const ZSTD_LEVELS = [...Array.from({ length: 19 }, (_, level) => [`-${level + 1}`]), ["--ultra", "-22"], ["--fast=5"]];
const XZ_LEVELS = Array.from({ length: 10 }, (_, level) => [`-${level}`]);

/** Ways in which the tools can write. */
const OPTIONS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  zstd: [
    ...ZSTD_LEVELS,
    ["--no-check"],
    ["--long=27"],
    ["--no-content-size"],
    ["--content-size"],
    ["-T2", "-B65536"],
    ["--rsyncable", "-T1"],
    ["--no-compress-literals"],
    ["--compress-literals"],
    ["-3", "--long=24", "--no-check"],
  ],
  xz: [
    ...XZ_LEVELS,
    ["-9e"],
    ["-3e", "--check=crc32"],
    ["--check=none"],
    ["--block-size=4096"],
    ["-T2", "--block-size=100000"],
    ["--lzma2=preset=6,lc=0,lp=4,pb=0"],
    ["--lzma2=preset=0,lc=4,pb=4"],
    ["--lzma2=dict=64MiB"],
    ["--lzma2=dict=4KiB,mode=fast,mf=hc3,nice=5"],
  ],
};

/** What an image is made of: runs of one byte, noise, text, and what came before. */
const Content = fc
  .array(
    fc.oneof(
      fc.record({ run: fc.integer({ min: 1, max: 400_000 }), byte: fc.nat({ max: 255 }) }),
      fc.uint8Array({ maxLength: 5000 }),
      fc.record({ text: fc.string({ minLength: 1, maxLength: 40 }), times: fc.integer({ min: 1, max: 3000 }) }),
      fc.record({ again: fc.nat({ max: 300_000 }), length: fc.integer({ min: 1, max: 200_000 }) }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => {
    let content = Buffer.alloc(0);
    for (const part of parts) {
      let next: Uint8Array;
      if (part instanceof Uint8Array) next = part;
      else if ("run" in part) next = Buffer.alloc(part.run, part.byte);
      else if ("text" in part) next = Buffer.from(part.text.repeat(part.times));
      else next = content.subarray(Math.min(part.again, content.length)).subarray(0, part.length);
      content = Buffer.concat([content, next]);
    }
    return content;
  });

/** Larger than the windows of the low levels, and with repetitions as far apart as the high ones see. */
const IMAGE = image();

function image(): Buffer {
  const part = Buffer.alloc(1024 * 1024);
  let state = 1;
  for (let index = 0; index < part.length; index += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    part[index] = index % 4096 < 1500 ? state >>> 24 : (state >>> 24) & 3;
  }
  return Buffer.concat([part, Buffer.alloc(2 * 1024 * 1024), part]);
}

describe.each(DECOMPRESSORS)("%s", (_, tool, decompress) => {
  const options = OPTIONS[tool] ?? [];

  const names = options.map((flags) => flags.join(" "));
  it.skipIf(!isInstalled(tool)).each(names)("reads what the tool makes with %s", async (flags) => {
    const packed = run(tool, ["-q", "-c", ...flags.split(" ")], IMAGE);
    expect((await collect(decompress(chunked(packed), "part"))).equals(IMAGE)).toBe(true);
  });

  it.skipIf(!isInstalled(tool))("reads what the tool makes of anything, in pieces of any size", async () => {
    const Case = fc.record({
      contents: fc.array(Content, { minLength: 1, maxLength: 3 }),
      flags: fc.constantFrom(...options),
      chunkBytes: fc.integer({ min: 1, max: 100_000 }),
    });
    await fc.assert(
      fc.asyncProperty(Case, async ({ contents, flags, chunkBytes }) => {
        const packed = Buffer.concat(contents.map((content) => run(tool, ["-q", "-c", ...flags], content)));
        const plain = await collect(decompress(chunked(packed, Math.max(chunkBytes, packed.length >> 10)), "part"));
        expect(plain.equals(Buffer.concat(contents))).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  it.skipIf(!isInstalled(tool))("refuses what was changed, or reads it as the tool does", async () => {
    const Change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
    const Case = fc.record({
      content: Content,
      flags: fc.constantFrom(...options),
      changes: fc.array(Change, { minLength: 1, maxLength: 4 }),
      cut: fc.option(fc.nat()),
    });
    await fc.assert(
      fc.asyncProperty(Case, async ({ content, flags, changes, cut }) => {
        const packed = run(tool, ["-q", "-c", ...flags], content);
        for (const { at, byte } of changes) packed[at % packed.length] = byte;
        const input = cut === null ? packed : packed.subarray(0, cut % packed.length);
        const plain = await collect(decompress(chunked(input, 4096), "part")).catch((error: unknown) => {
          expect(error).toBeInstanceOf(ArtifactError);
          return undefined;
        });
        if (plain === undefined) return;
        const { status, stdout } = spawnSync(tool, ["-q", "-d", "-c"], { input, maxBuffer: 512 * 1024 * 1024 });
        expect(status).toBe(0);
        expect(plain.equals(stdout)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe("an artifact's reader", () => {
  it.skipIf(!isInstalled("xz"))("says by name which xz it does not read", async () => {
    for (const flags of [
      ["--x86", "--lzma2"],
      ["--delta=dist=4", "--lzma2"],
    ]) {
      const packed = run("xz", ["-q", "-c", ...flags], IMAGE);
      await expect(collect(unxz(chunked(packed), "part")), flags.join(" ")).rejects.toMatchObject({
        code: "compression-unsupported",
        message: expect.stringContaining("LZMA2 alone"),
      });
    }
  });

  it.skipIf(!isInstalled("zstd"))("refuses zstd with more than 128 MiB of window", async () => {
    const packed = run("zstd", ["-q", "-c", "--long=28", "--no-content-size"], Buffer.alloc(1000));
    for (const decompress of [unzstd, unzstdPortably]) {
      await expect(collect(decompress(chunked(packed), "part"))).rejects.toMatchObject({
        code: "compression-window-too-large",
      });
    }
  });
});
