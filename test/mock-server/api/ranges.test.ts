import { describe, expect, test } from "vitest";
import { decideRange } from "../../../mock-server/api/ranges.ts";

const MODIFIED = "Mon, 23 Nov 2026 13:20:41 GMT";
const object = { sizeBytes: 1000, etag: '"abc"', modifiedMs: Date.parse(MODIFIED) + 993 };
const whole = { status: 200, range: { start: 0, end: 1000 } };

describe("ranges", () => {
  test.each([
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=10-19", { start: 10, end: 20 }],
    ["bytes=10-", { start: 10, end: 1000 }],
    ["bytes=990-5000", { start: 990, end: 1000 }],
    ["bytes=-5", { start: 995, end: 1000 }],
    ["bytes=-5000", { start: 0, end: 1000 }],
    ["BYTES=999-", { start: 999, end: 1000 }],
  ])("%s is a part", (range, expected) => {
    expect(decideRange({ range }, object)).toEqual({ status: 206, range: expected });
  });

  test.each(["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=9999999999999999-"])("%s lies outside", (range) => {
    expect(decideRange({ range }, object)).toEqual({ status: 416 });
  });

  test.each(["bytes=20-10", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=0--1", "bytes 0-1"])(
    "%s is not understood and gets everything",
    (range) => {
      expect(decideRange({ range }, object)).toEqual(whole);
    },
  );

  test("no byte of an empty object can be asked for", () => {
    const empty = { ...object, sizeBytes: 0 };
    expect(decideRange({ range: "bytes=0-" }, empty)).toEqual({ status: 416 });
    expect(decideRange({}, empty)).toEqual({ status: 200, range: { start: 0, end: 0 } });
  });

  test.each([
    ['"abc"', 206],
    ['"other"', 200],
    ['W/"abc"', 200],
    [MODIFIED, 206],
    ["Mon, 23 Nov 2026 13:20:40 GMT", 200],
    ["not a date", 200],
  ])("If-Range %s makes it %i", (condition, status) => {
    expect(decideRange({ range: "bytes=10-", "if-range": condition }, object).status).toBe(status);
  });
});

describe("conditions", () => {
  test.each([
    [{ "if-none-match": '"abc"' }, 304],
    [{ "if-none-match": 'W/"abc"' }, 304],
    [{ "if-none-match": '"x", "abc"' }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": '"x"' }, 200],
    // A tag that does not fit counts more than a date that does.
    [{ "if-none-match": '"x"', "if-modified-since": MODIFIED }, 200],
    [{ "if-modified-since": MODIFIED }, 304],
    [{ "if-modified-since": "Mon, 23 Nov 2026 13:20:40 GMT" }, 200],
    [{ "if-modified-since": "gibberish" }, 200],
    [{ "if-match": '"abc"' }, 200],
    [{ "if-match": "*" }, 200],
    [{ "if-match": '"x"' }, 412],
    [{ "if-match": 'W/"abc"' }, 412],
    [{ "if-unmodified-since": MODIFIED }, 200],
    [{ "if-unmodified-since": "Mon, 23 Nov 2026 13:20:40 GMT" }, 412],
  ])("%o is answered with %i", (headers, status) => {
    expect(decideRange(headers, object).status).toBe(status);
  });

  test("a condition is looked at before the range", () => {
    expect(decideRange({ "if-none-match": '"abc"', range: "bytes=0-1" }, object)).toEqual({ status: 304 });
    expect(decideRange({ "if-match": '"x"', range: "bytes=0-1" }, object)).toEqual({ status: 412 });
  });
});
