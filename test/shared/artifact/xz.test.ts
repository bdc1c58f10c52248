import { randomBytes } from "node:crypto";
import { ArtifactError } from "@upkeep/shared/artifact";
import { describe, expect, test } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { unxz as decompress } from "../../../shared/artifact/compression/xz.ts";
import { collect } from "./support.ts";

async function* pieces(content: Uint8Array, size = 50_000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += size) yield content.subarray(start, start + size);
}

function unxz(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return decompress(source, "data/0000.tar.xz");
}

async function xz(content: Uint8Array): Promise<Buffer> {
  const { xz: compress } = COMPRESSORS;
  if (compress === undefined) throw new Error("the server has a compressor for xz");
  return await collect(compress(pieces(content)));
}

describe("xz", () => {
  test("gives what was compressed", async () => {
    const content = randomBytes(1_000_000);
    expect((await collect(unxz(pieces(await xz(content))))).equals(content)).toBe(true);
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
    const fault = await collect(unxz(pieces(spoilt))).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(ArtifactError);
    expect(fault).toMatchObject({ code, message: expect.stringContaining("data/0000.tar.xz") });
  });

  test("may be several streams with padding behind them, as the xz tool reads them", async () => {
    const content = randomBytes(100_000);
    const whole = await xz(content);
    const streams = Buffer.concat([whole, Buffer.alloc(8), whole, Buffer.alloc(4)]);
    expect((await collect(unxz(pieces(streams, 777)))).equals(Buffer.concat([content, content]))).toBe(true);
  });

  test("that is changed is never taken for whole, wherever it is changed", async () => {
    const whole = await xz(randomBytes(20_000));
    for (let at = 20; at < whole.length; at += 997) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(collect(unxz(pieces(changed, 4096))), `byte ${at}`).rejects.toBeInstanceOf(ArtifactError);
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
    expect((await collect(unxz(pieces(whole)))).equals(content)).toBe(true);
    goOn();
    expect((await slow).equals(content)).toBe(true);
  });
});
