import { describe, expect, it } from "vitest";
import { obeyed, pauseBeforeResume, pauseBeforeRetry, scheduledPause } from "../../../agent/server/backoff.ts";

function schedule(longestMs: number, count: number): number[] {
  const pauses: number[] = [];
  for (let attempt = 1; ; attempt++) {
    const pauseMs = scheduledPause({ longestMs, count }, attempt);
    if (pauseMs === undefined) return pauses;
    pauses.push(pauseMs / 1000);
  }
}

describe("the back-off", () => {
  it("uses each pause three times and doubles it up to the longest, as the reference client", () => {
    expect(schedule(300_000, 0)).toEqual([60, 60, 60, 120, 120, 120, 240, 240, 240, 300, 300, 300]);
    expect(schedule(60_000, 0)).toEqual([60, 60, 60]);
  });

  it("stays at the longest pause until the count is used up", () => {
    expect(schedule(120_000, 8)).toEqual([60, 60, 60, 120, 120, 120, 120, 120]);
    expect(schedule(300_000, 2)).toEqual([60, 60]);
  });

  it("is never without a pause, even if none is configured", () => {
    expect(schedule(5000, 0)).toEqual([5, 5, 5]);
    expect(schedule(0, 0)).toEqual([1, 1, 1]);
    expect(pauseBeforeRetry({ longestMs: 0, count: 0 }, 1, 0.999)).toBeGreaterThan(0);
    expect(pauseBeforeResume(0, 0, 0.999)).toBeGreaterThan(0);
  });

  it("takes a random part away, so that a fleet does not come back as one", () => {
    const schedule = { longestMs: 300_000, count: 0 };
    expect(pauseBeforeRetry(schedule, 1, 0)).toBe(60_000);
    expect(pauseBeforeRetry(schedule, 1, 0.5)).toBe(54_000);
    expect(pauseBeforeRetry(schedule, 13, 0)).toBeUndefined();
  });

  it("obeys the server's wish, within a day, and counts it as no try", () => {
    expect(pauseBeforeRetry({ longestMs: 300_000, count: 1 }, 99, 0, 7_200_000)).toBe(7_200_000);
    expect(obeyed(0, 0)).toBe(1000);
    expect(obeyed(10 ** 12, 0)).toBe(24 * 3600_000);
    expect(obeyed(60_000, 0.5)).toBe(63_000);
  });

  it("goes on with a download soon, and less and less soon", () => {
    expect([0, 1, 2, 5, 8, 9, 20].map((fruitless) => pauseBeforeResume(fruitless, 300_000, 0) / 1000)).toEqual([
      1, 2, 4, 32, 256, 300, 300,
    ]);
  });
});
