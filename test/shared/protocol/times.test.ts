import { timeMs } from "@upkeep/shared/protocol";
import { expect, test } from "vitest";
import { fc } from "../../support/fast-check.ts";

test.each([
  ["1970-01-01T00:00:00Z", 0],
  ["1969-12-31T23:59:59.999Z", -1],
  ["2026-03-01t11:00:00z", Date.UTC(2026, 2, 1, 11)],
  ["2026-03-01 11:00:00Z", Date.UTC(2026, 2, 1, 11)],
  ["2026-03-01T11:00:00.123456789Z", Date.UTC(2026, 2, 1, 11) + 123],
  ["2026-03-01T11:00:00.5-01:30", Date.UTC(2026, 2, 1, 12, 30) + 500],
  ["2028-02-29T00:00:00+14:00", Date.UTC(2028, 1, 28, 10)],
  ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
  ["0001-01-01T00:00:00Z", -62_135_596_800_000],
])("%s is an instant", (text, ms) => {
  expect(timeMs(text)).toBe(ms);
});

test.each([
  "2026-03-01T11:00:00",
  "2026-03-01T11:00Z",
  "2026-03-01",
  "2026-3-1T11:00:00Z",
  "2026-02-29T00:00:00Z",
  "2100-02-29T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:60:00Z",
  "2026-01-01T00:00:60Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+01:60",
  "2026-01-01T00:00:00+0100",
  "2026-01-01T00:00:00.Z",
  " 2026-01-01T00:00:00Z",
  "2026-01-01T00:00:00Z\n",
  "+002026-01-01T00:00:00Z",
  "1767225600",
  "",
])("%j is none", (text) => {
  expect(timeMs(text)).toBeUndefined();
});

test("every instant is read as it was written, with any offset", () => {
  const date = fc.date({
    noInvalidDate: true,
    min: new Date("0001-01-02T00:00:00Z"),
    max: new Date("9999-12-30T00:00:00Z"),
  });
  fc.assert(
    fc.property(date, fc.integer({ min: -1439, max: 1439 }), (instant, minutes) => {
      const local = new Date(instant.getTime() + minutes * 60_000).toISOString().slice(0, -1);
      const two = (value: number): string => String(value).padStart(2, "0");
      const offset = `${minutes < 0 ? "-" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
      expect(timeMs(`${local}${offset}`)).toBe(instant.getTime());
    }),
  );
});
