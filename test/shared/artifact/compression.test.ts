import { randomFillSync } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { decompress } from "../../../shared/artifact/compression/index.ts";
import { unxz } from "../../../shared/artifact/compression/xz.ts";
import { unzstd, unzstdPortably } from "../../../shared/artifact/compression/zstd.ts";
import { through } from "../../../shared/artifact/write/compress.ts";
import { chunked, collect } from "./support.ts";

const content = Buffer.concat([randomFillSync(Buffer.alloc(200_000)), Buffer.alloc(3_000_000, "line\n")]);

function compressed(compression: "xz" | "zstd", plain = content): Promise<Buffer> {
  const compressor = COMPRESSORS[compression];
  if (compressor === undefined) throw new Error(`no compressor for ${compression}`);
  return collect(compressor(chunked(plain)));
}

const DECOMPRESSORS = {
  xz: unxz,
  zstd: unzstd,
  // Also where Node has its own.
  "zstd in JavaScript": unzstdPortably,
} as const;

describe.each(Object.keys(DECOMPRESSORS) as (keyof typeof DECOMPRESSORS)[])("decompressing %s", (name) => {
  const expand = DECOMPRESSORS[name];
  const kind = name === "xz" ? "xz" : "zstd";

  it("gives what was compressed, in pieces of any size", async () => {
    const packed = await compressed(kind);
    for (const chunkBytes of [1, 7, 4096, packed.length]) {
      const source = chunked(
        chunkBytes < 4096 ? await compressed(kind, content.subarray(0, 3000)) : packed,
        chunkBytes,
      );
      const expected = chunkBytes < 4096 ? content.subarray(0, 3000) : content;
      expect((await collect(expand(source, "part"))).equals(expected)).toBe(true);
    }
    expect(await collect(expand(chunked(await compressed(kind, Buffer.alloc(0))), "part"))).toHaveLength(0);
  });

  it("refuses what ends too early", async () => {
    const packed = await compressed(kind, content.subarray(0, 3000));
    for (const length of [0, 1, 5, 13, 100, packed.length - 20, packed.length - 1]) {
      await expect(collect(expand(chunked(packed.subarray(0, length)), "part")), String(length)).rejects.toMatchObject({
        code: "truncated",
      });
    }
  });

  it("refuses what stands behind the end", async () => {
    const packed = await compressed(kind, content.subarray(0, 3000));
    for (const rest of [Buffer.from("x"), Buffer.alloc(15), Buffer.from("more than a few bytes")]) {
      const source = chunked(Buffer.concat([packed, rest]), 1000);
      await expect(collect(expand(source, "part"))).rejects.toMatchObject({
        code: expect.stringMatching(/^(trailing-bytes|truncated|compression-damaged)$/),
      });
    }
  });

  it("refuses what is something else", async () => {
    const source = chunked(Buffer.from("this is neither of the two, and long enough to tell"));
    await expect(collect(expand(source, "part"))).rejects.toMatchObject({ code: "compression-damaged" });
  });

  it("passes on what its source fails with", async () => {
    const broken = new Error("the line went dead");
    const packed = await compressed(kind);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 100_000);
      throw broken;
    };
    await expect(collect(expand(source(), "part"))).rejects.toBe(broken);
  });

  it("can be left early, and the next one works", async () => {
    const packed = await compressed(kind);
    for (let round = 0; round < 3; round += 1) {
      for await (const _ of expand(chunked(packed, 1000), "part")) break;
    }
    expect((await collect(expand(chunked(packed), "part"))).equals(content)).toBe(true);
  });

  it("gives a stream of zeros piece by piece, not at once", async () => {
    const zeros = Buffer.alloc(16 * 1024 * 1024);
    let largest = 0;
    let total = 0;
    for await (const piece of expand(chunked(await compressed(kind, zeros)), "part")) {
      largest = Math.max(largest, piece.length);
      total += piece.length;
    }
    expect(total).toBe(zeros.length);
    expect(largest).toBeLessThanOrEqual(256 * 1024);
  });
});

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

describe("a zstd stream", () => {
  it.each<[string, number[], string]>([
    ["that needs 256 MiB of window", [...MAGIC, 0x00, 18 << 3, 1, 0, 0], "compression-window-too-large"],
    ["that is one segment of 1 GiB", [...MAGIC, 0xa0, 0, 0, 0, 0x40, 1, 0, 0], "compression-window-too-large"],
    ["that needs a dictionary", [...MAGIC, 0x01, 0x50, 7, 1, 0, 0], "compression-damaged"],
    ["with reserved bits", [...MAGIC, 0x08, 0x50, 1, 0, 0], "compression-damaged"],
    ["with a block of an unknown type", [...MAGIC, 0x00, 0x50, 7, 0, 0], "compression-damaged"],
    ["with a block of 2 MiB", [...MAGIC, 0x00, 0x50, 0xff, 0xff, 0xff], "compression-damaged"],
    ["that asks to skip 4 GiB", [0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff], "too-large"],
    ["with another magic behind its frame", [...MAGIC, 0x00, 0x50, 1, 0, 0, 1, 2, 3, 4], "trailing-bytes"],
  ])("%s is refused", async (_, bytes, code) => {
    await expect(collect(unzstd(chunked(Buffer.from(bytes)), "part"))).rejects.toMatchObject({ code });
  });

  it("may have frames that are skipped, and several that are not", async () => {
    const frame = await compressed("zstd", Buffer.from("hello "));
    const skipped = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const stream = Buffer.concat([skipped, frame, skipped, frame, skipped]);
    expect((await collect(unzstd(chunked(stream, 5), "part"))).toString()).toBe("hello hello ");
  });
});

describe("an xz stream", () => {
  // Made with Python's lzma, the size of the dictionary changed in the block's header.
  it.each([
    ["128 MiB", "/Td6WFoAAAFpIt42AgAhAR4AAACbB1Fm4AA7AAxdADQZSduFW5sTFTcIAAAwSB1WAAEkPAooAf6QQpkNAQAAAAABWVo="],
    ["1 GiB", "/Td6WFoAAAFpIt42AgAhASQAAABeH8f54AA7AAxdADQZSduFW5sTFTcIAAAwSB1WAAEkPAooAf6QQpkNAQAAAAABWVo="],
  ])("that needs a dictionary of %s is refused", async (_, base64) => {
    await expect(collect(unxz(chunked(Buffer.from(base64, "base64")), "part"))).rejects.toMatchObject({
      code: "compression-window-too-large",
    });
  });

  it("with a dictionary of 64 MiB, which xz -9 makes, is read", async () => {
    const base64 = "/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4AA7AAxdADQZSduFW5sTFTcIAAAwSB1WAAEkPAooAf6QQpkNAQAAAAABWVo=";
    const plain = await collect(unxz(chunked(Buffer.from(base64, "base64")), "part"));
    expect(plain.toString()).toBe("hello\n".repeat(10));
  });

  // XZ Embedded ignores the first byte of the range coder; xz refuses what is not 0, though every check fits.
  it("with a chunk that does not start with 0 is refused, as the xz tool does", async () => {
    const base64 = "/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4AA7AAxdADQZSduFW5sTFTcIAAAwSB1WAAEkPAooAf6QQpkNAQAAAAABWVo=";
    const changed = Buffer.from(base64, "base64");
    expect(changed.subarray(24, 31)).toEqual(Buffer.from([0xe0, 0, 59, 0, 12, 0x5d, 0]));
    changed[30] = 1;
    await expect(collect(unxz(chunked(changed), "part"))).rejects.toMatchObject({ code: "compression-damaged" });
  });
});

describe("the caller's own decompressor", () => {
  it("is used instead of the built-in one", async () => {
    const given = {
      gzip: async function* () {
        yield Buffer.from("mine");
      },
    };
    const plain = await collect(await decompress("gzip", chunked(Buffer.alloc(0)), "part", given));
    expect(plain.toString()).toBe("mine");
  });
});

describe("compressing", () => {
  it("fails with what its source fails with", async () => {
    const broken = new Error("the disk is gone");
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield content;
      throw broken;
    };
    const { createGzip } = await import("node:zlib");
    await expect(collect(through(source(), createGzip()))).rejects.toBe(broken);
    expect(gunzipSync(await collect(through(chunked(content), createGzip()))).equals(content)).toBe(true);
  });
});
