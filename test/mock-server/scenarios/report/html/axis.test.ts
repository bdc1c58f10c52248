import { expect, test } from "vitest";
import { axisOf } from "../../../../../mock-server/scenarios/report/html/axis.ts";

const HOUR_MS = 3_600_000;

test("milliseconds and days are told apart on one axis, in their order", () => {
  const moments = [0, 160, 170, 5000, 6 * HOUR_MS, 72 * HOUR_MS];
  const { x } = axisOf(moments, 80 * HOUR_MS, 100, 1000);
  const places = [...moments, 80 * HOUR_MS].map(x);
  expect(places[0]).toBe(100);
  expect(places.at(-1)).toBe(1000);
  for (const [index, place] of places.entries())
    if (index > 0) expect(place - (places[index - 1] ?? 0)).toBeGreaterThan(20);
});

test("what lies between two moments lies between their places, and nothing lies outside", () => {
  const { x } = axisOf([1000, 3000], 4000, 0, 100);
  expect(x(2000)).toBeCloseTo((x(1000) + x(3000)) / 2);
  expect(x(-5)).toBe(0);
  expect(x(9999)).toBeCloseTo(100);
});

test("a long span without anything is a break that says how long it is; a short one is none", () => {
  const { breaks } = axisOf([0, 1000, 2 * HOUR_MS], 2 * HOUR_MS, 0, 1000);
  expect(breaks.map(({ text }) => text)).toEqual(["1h59m"]);
  expect(axisOf([0, 1000, 500_000], 500_000, 0, 1000).breaks).toEqual([]);
});

test("labels have room, the start and the end always have one", () => {
  const { ticks } = axisOf(
    Array.from({ length: 200 }, (_, index) => index * 1000),
    200_000,
    0,
    1000,
  );
  expect(ticks[0]?.atMs).toBe(0);
  expect(ticks.at(-1)?.atMs).toBe(200_000);
  expect(ticks.length).toBeLessThan(10);
  for (const [index, { x }] of ticks.entries())
    if (index > 0) expect(x - (ticks[index - 1]?.x ?? 0)).toBeGreaterThan(100);
});

test("a run that ends at once still has an axis", () => {
  const { x, ticks } = axisOf([], 0, 10, 90);
  expect(x(0)).toBe(10);
  expect(ticks).toEqual([{ atMs: 0, x: 10 }]);
});
