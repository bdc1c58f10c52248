import { averageFor, type Cut, Cutter, chunkSizes } from "@upkeep/shared/artifact/adaptive";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf } from "./support.ts";

const SIZES = chunkSizes(8192);

/** The cuts of `content`, handed over in pieces of the given lengths, again and again. */
function cutsOf(content: Uint8Array, pieces: readonly number[] = [content.length + 1]): (string | number)[] {
  const cutter = new Cutter(SIZES);
  const cuts: (string | number)[] = [];
  const take = (cut: Cut): void => {
    cuts.push("zeroBytes" in cut ? cut.zeroBytes : Buffer.from(cut.content).toString("latin1"));
  };
  for (let offset = 0, turn = 0; offset < content.length; turn += 1) {
    const length = pieces[turn % pieces.length] ?? 1;
    for (const cut of cutter.push(content.subarray(offset, offset + length))) take(cut);
    offset += length;
  }
  for (const cut of cutter.end()) take(cut);
  return cuts;
}

function lengthOf(cut: string | number): number {
  return typeof cut === "number" ? cut : cut.length;
}

/** Stretches of noise, of zeros and of one repeated byte, around the lengths that matter. */
const contents = fc
  .array(
    fc.record({
      seed: fc.integer({ min: 0, max: 2 ** 31 }),
      kind: fc.constantFrom("noise", "zeros", "same"),
      length: fc.oneof(
        fc.integer({ min: 1, max: 300_000 }),
        fc.constantFrom(1, 2047, 2048, 4095, 4096, 4097, 8192, 65_535, 65_536, 65_537, 69_632, 593_920),
      ),
    }),
    { maxLength: 8 },
  )
  .map((stretches) =>
    Buffer.concat(
      stretches.map(({ seed, kind, length }) =>
        kind === "noise" ? bytesOf(length, seed) : Buffer.alloc(length, kind === "zeros" ? 0 : 7),
      ),
    ),
  );

describe("the cutter", () => {
  it("cuts the same, however the stream is divided", () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(contents, pieces, (content, lengths) => {
        expect(cutsOf(content, lengths)).toEqual(cutsOf(content));
      }),
      { numRuns: 60 },
    );
  });

  it("gives all bytes again, in chunks within the bounds and zero runs that are whole", () => {
    fc.assert(
      fc.property(contents, (content) => {
        const cuts = cutsOf(content);
        const joined = Buffer.concat(
          cuts.map((cut) => (typeof cut === "number" ? Buffer.alloc(cut) : Buffer.from(cut, "latin1"))),
        );
        expect(joined.equals(content)).toBe(true);
        for (const [index, cut] of cuts.entries()) {
          expect(lengthOf(cut)).toBeGreaterThan(0);
          if (typeof cut === "number") {
            expect(cut).toBeGreaterThanOrEqual(4096);
            expect(typeof cuts[index + 1]).not.toBe("number");
          } else {
            expect(cut.length).toBeLessThanOrEqual(SIZES.maxBytes);
            expect(cut).not.toContain("\0".repeat(4096));
            const endsAtARun = index === cuts.length - 1 || typeof cuts[index + 1] === "number";
            if (!endsAtARun) expect(cut.length).toBeGreaterThanOrEqual(SIZES.minBytes);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("finds the old chunks again behind bytes that were put in", () => {
    const content = bytesOf(2_000_000, 1);
    const changed = Buffer.concat([content.subarray(0, 700_000), Buffer.from("new"), content.subarray(700_000)]);
    const before = new Set(cutsOf(content));
    const fresh = cutsOf(changed).filter((cut) => !before.has(cut));
    expect(fresh.reduce<number>((sum, cut) => sum + lengthOf(cut), 0)).toBeLessThan(2 * SIZES.maxBytes);
  });

  it("cuts noise near the average size", () => {
    const cuts = cutsOf(bytesOf(4_000_000, 2));
    expect(4_000_000 / cuts.length).toBeGreaterThan(7_000);
    expect(4_000_000 / cuts.length).toBeLessThan(14_000);
  });

  it("cuts as the format says: the first cuts of a known content", () => {
    expect(cutsOf(bytesOf(100_000, 3)).slice(0, 4).map(lengthOf)).toEqual([8398, 9676, 12_275, 3037]);
  });

  it("takes larger chunks for larger payloads", () => {
    const gib = 2 ** 30;
    expect([0, 1.5 * gib, 1.5 * gib + 1, 3 * gib, 3 * gib + 1, 100 * gib].map(averageFor)).toEqual([
      8192, 8192, 16_384, 16_384, 32_768, 65_536,
    ]);
  });
});
