import { expect, test } from "vitest";
import { FaultPlan, type Moment, type PlannedFault } from "../../../mock-server/faults/index.ts";

const LINK_DOWN = { fault: "link_down", value: true } as const;
const at = (atMs: number, more: Partial<Moment> = {}): Moment => ({ device: "d1", atMs, request: "poll", ...more });

function hits(fault: Omit<PlannedFault, "what">, moments: readonly Moment[], seed = "1"): boolean[] {
  const plan = new FaultPlan([{ what: LINK_DOWN, ...fault }], seed);
  return moments.map((moment) => plan.strikes("exchange", moment).length === 1);
}

test.each<[string, Omit<PlannedFault, "what">, readonly Moment[], readonly boolean[]]>([
  ["always", {}, [at(0), at(1)], [true, true]],
  ["one device", { devices: ["d2"] }, [at(0), at(0, { device: "d2" })], [false, true]],
  ["a kind of request", { to: ["status"] }, [at(0), at(0, { request: "status" })], [false, true]],
  ["a state of the agent", { while: ["Download"] }, [at(0), at(0, { state: "Download" })], [false, true]],
  ["a status", { during: ["installing"] }, [at(0), at(0, { status: "installing" })], [false, true]],
  ["a time", { fromMs: 5, untilMs: 10 }, [at(4), at(5), at(9), at(10)], [false, true, true, false]],
  ["so many times", { count: 2 }, [at(0), at(1), at(2)], [true, true, false]],
  ["so many times for each device", { count: 1 }, [at(0), at(1), at(1, { device: "d2" })], [true, false, true]],
  ["not the first times", { skip: 1, count: 1 }, [at(0), at(1), at(2)], [false, true, false]],
  ["never, while it is off", { on: false, name: "x" }, [at(0)], [false]],
  ["never, with probability 0", { probability: 0 }, [at(0), at(1)], [false, false]],
])("a fault for %s", (_, fault, moments, expected) => {
  expect(hits(fault, moments)).toEqual(expected);
});

test("a fault is turned on and off by its name", () => {
  const plan = new FaultPlan([{ what: LINK_DOWN, name: "x", on: false }], "1");
  expect(plan.turn("x", true)).toBe(1);
  expect(plan.strikes("exchange", at(0))).toMatchObject([{ fault: "link_down", index: 0 }]);
  plan.turn("x", false);
  expect(plan.strikes("exchange", at(0))).toEqual([]);
  expect(plan.turn("y", true)).toBe(0);
});

test("chance is decided by the seed, and for each device by itself", () => {
  const many = Array.from({ length: 200 }, (_, index) => at(index));
  const first = hits({ probability: 0.5 }, many);
  expect(hits({ probability: 0.5 }, many)).toEqual(first);
  expect(hits({ probability: 0.5 }, many, "2")).not.toEqual(first);
  const among = many.flatMap((moment) => [{ ...moment, device: "d2" }, moment]);
  expect(hits({ probability: 0.5 }, among).filter((_, index) => index % 2 === 1)).toEqual(first);
  const share = first.filter(Boolean).length / many.length;
  expect(share).toBeGreaterThan(0.35);
  expect(share).toBeLessThan(0.65);
});

test("what happens once happens once, and what is not it is not counted", () => {
  const power = { fault: "power_cut", value: { during: "ArtifactInstall" } } as const;
  const plan = new FaultPlan([{ what: power }], "1");
  expect(plan.strikes("power", at(0), () => false)).toEqual([]);
  expect(plan.standing("power", at(0))).toHaveLength(1);
  expect(plan.strikes("power", at(0))).toHaveLength(1);
  expect(plan.strikes("power", at(1))).toEqual([]);
  expect(plan.standing("power", at(1))).toEqual([]);
});

test("a fault of downloads leaves other requests alone", () => {
  const plan = new FaultPlan([{ what: { fault: "cut_download", value: { at: 10 } } }], "1");
  expect(plan.strikes("exchange", at(0))).toEqual([]);
  expect(plan.strikes("exchange", at(0, { request: "download" }))).toHaveLength(1);
  expect(plan.strikes("power", at(0, { request: "download" }))).toEqual([]);
});
