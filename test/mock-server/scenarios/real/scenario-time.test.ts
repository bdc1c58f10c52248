import { expect, test } from "vitest";
import { ScenarioTime } from "../../../../mock-server/scenarios/real/scenario-time.ts";

test("the scenario's time stands until it is moved, and calls what is due in its order", () => {
  const time = new ScenarioTime();
  const called: string[] = [];
  time.after(2000, () => called.push("second"));
  time.after(1000, () => {
    called.push("first");
    time.after(0, () => called.push("and what it set"));
  });
  time.after(1000, () => called.push("cancelled")).cancel();
  expect([time.fire(), time.nextMs, time.nowMs]).toEqual([false, 1000, 0]);
  time.moveTo(1000);
  expect([time.fire(), called]).toEqual([true, ["first", "and what it set"]]);
  time.moveTo(500);
  expect(time.nowMs).toBe(1000);
  time.moveTo(5000);
  expect([time.fire(), called.at(-1), time.nextMs, time.fire()]).toEqual([true, "second", undefined, false]);
});
