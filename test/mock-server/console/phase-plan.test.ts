import { expect, test } from "vitest";
import {
  begunAt,
  changed,
  faultOf,
  grownTo,
  ONE_PHASE,
  type Plan,
  split,
  totals,
  without,
} from "../../../mock-server/console/page/pages/new-deployment/phase-plan.ts";

const PLAN: Plan = [
  { percent: 10, afterHours: 0, successPercent: 90 },
  { percent: 30, afterHours: 24 },
  { percent: 60, afterHours: 48, errorPercent: 5 },
];
const hours = (plan: Plan) => plan.map(({ afterHours }) => afterHours);

test("a phase that is split leaves room for another one; the last takes the rest and opens nothing", () => {
  expect(split(ONE_PHASE)).toEqual([
    { percent: 10, afterHours: 0 },
    { percent: 90, afterHours: 24 },
  ]);
  expect(totals(split(PLAN))).toEqual([10, 40, 70, 100]);
  expect(changed(PLAN, 2, { successPercent: 50 })[2]).not.toHaveProperty("successPercent");
  expect(totals(changed(PLAN, 0, { percent: 20 }))).toEqual([20, 50, 100]);
});

test("a beginning stays between those of its neighbours", () => {
  expect(hours(begunAt(PLAN, 1, 30, 60))).toEqual([0, 30, 48]);
  expect(hours(begunAt(PLAN, 1, 99, 60))).toEqual([0, 48, 48]);
  expect(hours(begunAt(PLAN, 1, -5, 60))).toEqual([0, 0, 48]);
  expect(hours(begunAt(PLAN, 2, 99, 60))).toEqual([0, 24, 60]);
});

test("a share that grows takes from the next phase, and leaves it one per cent", () => {
  expect(totals(grownTo(PLAN, 0, 25.4))).toEqual([25, 40, 100]);
  expect(totals(grownTo(PLAN, 0, 99))).toEqual([39, 40, 100]);
  expect(totals(grownTo(PLAN, 0, -3))).toEqual([1, 40, 100]);
  expect(totals(grownTo(PLAN, 1, 100))).toEqual([10, 99, 100]);
});

test("without the first phase the hours count from the next one", () => {
  expect(hours(without(PLAN, 0))).toEqual([0, 24]);
  expect(totals(without(PLAN, 0))).toEqual([30, 100]);
});

test("a plan with too many per cent, or out of order, is named", () => {
  expect(faultOf(PLAN)).toBeUndefined();
  expect(faultOf(changed(PLAN, 0, { percent: 70 }))).toMatch(/together the phases have 100/);
  expect(faultOf(changed(PLAN, 1, { percent: 2.5 }))).toMatch(/whole number/);
  expect(faultOf(changed(PLAN, 1, { afterHours: 50 }))).toMatch(/before the one that precedes it/);
});
