import { expect, test } from "vitest";
import { Instant, instantMs, WallDate } from "../../../../mock-server/faults/language/instants.ts";

const START = Date.UTC(2026, 2, 1, 11);
const HOUR_MS = 3_600_000;

test.each([
  ["90m", 1.5 * HOUR_MS],
  ["12:00", HOUR_MS],
  ["11:00", 0],
  ["10:30", 23.5 * HOUR_MS],
  ["day 1 12:00:30", HOUR_MS + 30_000],
  ["day 3 00:00", 37 * HOUR_MS],
  ["2026-03-02T11:00:00Z", 24 * HOUR_MS],
  ["day 1 10:00", -HOUR_MS],
])("%s is so long after the start at 11:00", (text, ms) => {
  expect(instantMs(Instant.parse(text), START)).toBe(ms);
});

test.each(["25:00", "noon", "90", "day 0 12:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-02T11:00Z"])(
  "%s is no instant",
  (text) => {
    expect(Instant.safeParse(text).success).toBe(false);
  },
);

test.each(["2026-02-30T00:00:00Z", "2026-03-01T11:00:00", "2026-03-01T11:00Z"])("%s is no date to start at", (text) => {
  expect(WallDate.safeParse(text).success).toBe(false);
});
