import { expect, test } from "vitest";
import { Latencies } from "../../../../mock-server/scenarios/fleet/latencies.ts";

test("percentiles are good to a few per cent, from microseconds to minutes", () => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1000; ms++) latencies.note(ms);
  for (const share of [0.5, 0.95, 0.99]) {
    expect(latencies.percentile(share) / (1000 * share)).toBeGreaterThan(0.95);
    expect(latencies.percentile(share) / (1000 * share)).toBeLessThan(1.05);
  }
  expect(latencies.percentile(1)).toBe(1000);
  expect(latencies.longestMs).toBe(1000);
  const long = new Latencies();
  long.note(0);
  long.note(600_000);
  expect(long.percentile(0.5)).toBeLessThan(0.02);
  expect(long.percentile(1)).toBeGreaterThan(580_000);
});

test("of nothing, every percentile is 0", () => {
  expect(new Latencies().percentile(0.99)).toBe(0);
});
