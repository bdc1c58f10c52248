import { durationText } from "../../run/wording.ts";

/** From this length on, the width of a span grows with its logarithm; every span has a minimum width. */
const UNIT_MS = 10;
/** An eventless span of this length is cut by a break mark. */
const BREAK_MS = 600_000;
/** Width of a mark with its label. */
const BREAK_WIDTH = 46;
const TICK_WIDTH = 118;

/** A labelled moment of the axis. */
export interface Tick {
  readonly atMs: number;
  readonly x: number;
}

/** A long eventless span, and the position of its cut. */
export interface Break {
  readonly x: number;
  readonly text: string;
}

/** Maps moments to positions; keeps the order, not the lengths. */
export interface Axis {
  readonly x: (atMs: number) => number;
  readonly ticks: readonly Tick[];
  readonly breaks: readonly Break[];
}

/**
 * An axis that shows milliseconds and weeks in one picture.
 * @param moments Times of events in milliseconds after the start, in any order.
 */
export function axisOf(moments: readonly number[], endMs: number, left: number, right: number): Axis {
  const last = Math.max(
    endMs,
    moments.reduce((most, one) => Math.max(most, one), 0),
  );
  const known = [...new Set([0, ...moments.filter((one) => one > 0), last])].sort((a, b) => a - b);
  const weights = known.slice(1).map((atMs, index) => 1 + Math.log2(1 + (atMs - (known[index] ?? 0)) / UNIT_MS) / 4);
  const total = weights.reduce((sum, one) => sum + one, 0);
  const places = [left];
  let place = left;
  for (const weight of weights) {
    place += (weight / total) * (right - left);
    places.push(place);
  }
  const x = (atMs: number): number => {
    if (atMs <= 0) return left;
    const after = upperBound(known, atMs);
    const [fromMs = 0, untilMs] = [known[after - 1], known[after]];
    const [from = left, until] = [places[after - 1], places[after]];
    if (untilMs === undefined || until === undefined) return places.at(-1) ?? left;
    return from + ((atMs - fromMs) / (untilMs - fromMs)) * (until - from);
  };
  return { x, ticks: ticksOf(known, places), breaks: breaksOf(known, places) };
}

/** Number of items of `sorted` up to and including `value`. */
function upperBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As many labels from left to right as fit, and always the last one. */
function ticksOf(known: readonly number[], places: readonly number[]): Tick[] {
  const all = known.map((atMs, index): Tick => ({ atMs, x: places[index] ?? 0 }));
  const end = all.at(-1);
  const ticks: Tick[] = [];
  for (const tick of all) {
    const before = ticks.at(-1);
    const clear = before === undefined || tick.x - before.x >= TICK_WIDTH;
    if (clear && (end === undefined || tick === end || end.x - tick.x >= TICK_WIDTH)) ticks.push(tick);
  }
  if (end !== undefined && ticks.at(-1) !== end) ticks.push(end);
  return ticks;
}

function breaksOf(known: readonly number[], places: readonly number[]): Break[] {
  return known.slice(1).flatMap((atMs, index): Break[] => {
    const [spanMs, from, until] = [atMs - (known[index] ?? 0), places[index] ?? 0, places[index + 1] ?? 0];
    if (spanMs < BREAK_MS || until - from < BREAK_WIDTH) return [];
    return [{ x: (from + until) / 2, text: durationText(spanMs) }];
  });
}
