import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { ArtifactError } from "@upkeep/shared/artifact";
import { describe, expect, test } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { unxz as decompress } from "../../../shared/artifact/compression/xz.ts";
import { describePeer, requirePeer } from "../../interop/peers.ts";
import { chunked, collect } from "./support.ts";

function unxz(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return decompress(source, "data/0000.tar.xz");
}

async function xz(content: Uint8Array): Promise<Buffer> {
  const { xz: compress } = COMPRESSORS;
  if (compress === undefined) throw new Error("the server has a compressor for xz");
  return await collect(compress(chunked(content, 50_000)));
}

describe("xz", () => {
  test("gives what was compressed", async () => {
    const content = randomBytes(1_000_000);
    expect((await collect(unxz(chunked(await xz(content), 50_000)))).equals(content)).toBe(true);
  });

  test.each([
    ["cut off", "truncated", (whole: Buffer) => whole.subarray(0, whole.length - 5)],
    ["empty", "truncated", () => Buffer.alloc(0)],
    [
      "followed by something else",
      "compression-damaged",
      (whole: Buffer) => Buffer.concat([whole, Buffer.alloc(100, "more")]),
    ],
    ["followed by seven zeros", "compression-damaged", (whole: Buffer) => Buffer.concat([whole, Buffer.alloc(7)])],
    [
      "changed",
      "compression-damaged",
      (whole: Buffer) => Buffer.from(whole.map((byte, at) => (at === 50_000 ? byte ^ 1 : byte))),
    ],
  ])("that is %s is refused as %s", async (_, code, spoil) => {
    const spoilt = spoil(await xz(randomBytes(100_000)));
    const fault = await collect(unxz(chunked(spoilt, 50_000))).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(ArtifactError);
    expect(fault).toMatchObject({ code, message: expect.stringContaining("data/0000.tar.xz") });
  });

  test("may be several streams with padding behind them, as the xz tool reads them", async () => {
    const content = randomBytes(100_000);
    const whole = await xz(content);
    const streams = Buffer.concat([whole, Buffer.alloc(8), whole, Buffer.alloc(4)]);
    expect((await collect(unxz(chunked(streams, 777)))).equals(Buffer.concat([content, content]))).toBe(true);
  });

  test("that is changed is never taken for whole, wherever it is changed", async () => {
    const whole = await xz(randomBytes(20_000));
    for (let at = 20; at < whole.length; at += 997) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(collect(unxz(chunked(changed, 4096))), `byte ${at}`).rejects.toBeInstanceOf(ArtifactError);
    }
  });

  test("tells the faults of its source as they are", async () => {
    const whole = await xz(randomBytes(100_000));
    const broken = async function* () {
      yield whole.subarray(0, 1000);
      throw new Error("the line broke");
    };
    await expect(collect(unxz(broken()))).rejects.toThrow("the line broke");
  });

  test("of one stream that has stopped does not hold up another", async () => {
    const content = randomBytes(100_000);
    const whole = await xz(content);
    let goOn = (): void => undefined;
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const slow = collect(
      unxz(
        (async function* () {
          yield whole.subarray(0, 60_000);
          await stopped;
          yield whole.subarray(60_000);
        })(),
      ),
    );
    expect((await collect(unxz(chunked(whole, 50_000)))).equals(content)).toBe(true);
    goOn();
    expect((await slow).equals(content)).toBe(true);
  });
});

/** Random bytes between repeated ones: chunks of both kinds. */
const CONTENT = Buffer.concat([Buffer.alloc(300_000, "again"), randomBytes(200_000), Buffer.alloc(100_000)]);

describePeer(["xz"], "what the xz tool writes", () => {
  const made = (flags: readonly string[], content = CONTENT): Buffer =>
    execFileSync(requirePeer("xz"), ["-c", ...flags], { input: content, stdio: ["pipe", "pipe", "pipe"] });

  test.each([
    ["with SHA-256", ["--check=sha256"]],
    ["with SHA-256 in many blocks", ["--check=sha256", "--block-size=65536"]],
    [
      "with SHA-256 by several threads, whose blocks state their sizes",
      ["-T2", "--check=sha256", "--block-size=65536"],
    ],
    ["with CRC64 in many blocks", ["--check=crc64", "--block-size=65536"]],
    ["without a check", ["--check=none"]],
  ])("%s is read, in chunks of any size", async (_, flags) => {
    const whole = made(flags);
    for (const chunkBytes of [1, 5, 4096, 100_000]) {
      expect((await collect(unxz(chunked(whole, chunkBytes)))).equals(CONTENT), `${chunkBytes}`).toBe(true);
    }
  });

  test("in streams with different checks, one of them of nothing, is read", async () => {
    const part = CONTENT.subarray(290_000, 310_000);
    const kinds = ["sha256", "crc32", "sha256", "none"];
    const empty = made(["--check=sha256"], Buffer.alloc(0));
    const streams = Buffer.concat([...kinds.map((check) => made([`--check=${check}`], part)), Buffer.alloc(4), empty]);
    const expected = Buffer.concat(kinds.map(() => part));
    expect((await collect(unxz(chunked(streams, 999)))).equals(expected)).toBe(true);
  });

  test("with SHA-256 and changed is never taken for whole, wherever it is changed", async () => {
    const whole = made(["--check=sha256", "--block-size=4096"], CONTENT.subarray(295_000, 305_000));
    const step = 61;
    const places = Array.from({ length: Math.ceil(whole.length / step) }, (_, index) => index * step);
    // The checks, the index and the footer, byte by byte.
    const last = Array.from({ length: 80 }, (_, index) => whole.length - 1 - index);
    for (const at of [...places, ...last]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(collect(unxz(chunked(changed, 4096))), `byte ${at}`).rejects.toBeInstanceOf(ArtifactError);
    }
    for (let length = 0; length < whole.length; length += 97) {
      const cut = collect(unxz(chunked(whole.subarray(0, length))));
      await expect(cut, `cut at ${length}`).rejects.toMatchObject({ code: "truncated" });
    }
  });

  test.each([
    ["whose SHA-256 begins like the header of a block", "content 98"],
    ["whose index has a CRC32 that begins like one", "content 12"],
  ])("%s is told to be cut off, wherever it is cut", async (_, content) => {
    const whole = made(["--check=sha256"], Buffer.from(content));
    for (let length = 0; length < whole.length; length += 1) {
      const cut = collect(unxz(chunked(whole.subarray(0, length))));
      await expect(cut, `cut at ${length}`).rejects.toMatchObject({ code: "truncated" });
    }
  });

  test.each([
    ["--x86", /BCJ for x86/],
    ["--arm", /BCJ for ARM\)/],
    ["--delta=dist=4", /delta/],
  ])("with the filter %s is refused by its name", async (filter, named) => {
    await expect(collect(unxz(chunked(made([filter, "--lzma2=preset=1"]))))).rejects.toMatchObject({
      code: "compression-unsupported",
      message: expect.stringMatching(named),
    });
  });
});
