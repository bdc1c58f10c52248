import { describe, expect, it } from "vitest";
import { isoTime, isoTimeFormatter } from "../../../shared/logging/iso-time.ts";
import { fc } from "../../support/fast-check.ts";

describe("the time of a log line", () => {
  it("is what a Date would write", () => {
    const range = { min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) };
    fc.assert(
      fc.property(fc.integer(range), (ms) => {
        expect(isoTime(ms)).toBe(new Date(ms).toISOString());
      }),
      { numRuns: 2000 },
    );
    for (let year = 1890; year < 2410; year++) {
      for (const [month, day] of [
        [0, 1],
        [1, 28],
        [1, 29],
        [2, 1],
        [11, 31],
      ] as const) {
        const ms = Date.UTC(year, month, day, 23, 59, 59, 999);
        expect(isoTime(ms)).toBe(new Date(ms).toISOString());
      }
    }
  });

  it("is the same whether it is asked for once or again and again", () => {
    const again = isoTimeFormatter();
    const step = fc.oneof(fc.integer({ min: -2000, max: 2000 }), fc.double({ min: -1, max: 1, noNaN: true }));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }), fc.array(step), (start, steps) => {
        let ms = start;
        for (const by of steps) {
          ms += by;
          expect(again(ms)).toBe(isoTime(ms));
        }
      }),
    );
  });

  it("takes a fraction of a millisecond for nothing", () => {
    expect(isoTime(0.9)).toBe("1970-01-01T00:00:00.000Z");
    expect(isoTime(-0.1)).toBe("1969-12-31T23:59:59.999Z");
  });
});
