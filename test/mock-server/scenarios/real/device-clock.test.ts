import { expect, test } from "vitest";
import type { AgentRest } from "../../../../mock-server/scenarios/real/agent-clock.ts";
import { DeviceClock } from "../../../../mock-server/scenarios/real/device-clock.ts";

const NOTHING = { sockets: 0, moving: 0, programs: 0 };
const REST: AgentRest = { pid: 7, nowMs: 0, sockets: 0, programs: 0, others: 0, dueMs: 60_000 };

function clockOf(pid: number) {
  const time = { nowMs: 0, wallMs: 1000 };
  const clock = new DeviceClock(() => ({ ...time }));
  clock.restart(pid);
  return { time, clock };
}

test("a process rests when it says so, until time moves or it is woken; then it gets the time", async () => {
  const { time, clock } = clockOf(7);
  expect(clock.isAtRest(NOTHING)).toBe(false);
  const answer = clock.rests(REST);
  expect([clock.isAtRest(NOTHING), clock.dueMs]).toEqual([true, 60_000]);
  time.nowMs = 60_000;
  expect(clock.isAtRest(NOTHING)).toBe(false);
  clock.wake();
  expect([await answer, clock.isAtRest(NOTHING)]).toEqual([{ nowMs: 60_000, wallMs: 1000 }, false]);
});

test("what an earlier process said does not count", () => {
  const { clock } = clockOf(7);
  void clock.rests(REST);
  clock.restart(8);
  void clock.rests(REST);
  expect([clock.isAtRest(NOTHING), clock.dueMs]).toEqual([false, undefined]);
});

test.each([
  ["a connection", { sockets: 1 }, NOTHING, false],
  ["a connection whose exchange waits for a time", { sockets: 1 }, { ...NOTHING, sockets: 1 }, true],
  ["an exchange that is under way", {}, { ...NOTHING, moving: 1 }, false],
  ["a file that is being written", { others: 1 }, NOTHING, false],
  ["a program", { programs: 1 }, NOTHING, false],
  ["a program that is looked for again soon", { programs: 1, dueMs: 100 }, NOTHING, true],
  ["a program that hangs", { programs: 1 }, { ...NOTHING, programs: 1 }, true],
  ["a program that hangs and does not take its FIFO", { programs: 1, others: 1 }, { ...NOTHING, programs: 1 }, true],
])("with %s", (_, rest, held, isAtRest) => {
  const { clock } = clockOf(7);
  void clock.rests({ ...REST, ...rest });
  expect(clock.isAtRest(held)).toBe(isAtRest);
});

test("a process that sleeps longer is left alone when time moves; one that waits for anything else is not", () => {
  const { time, clock } = clockOf(7);
  void clock.rests(REST);
  time.nowMs = 59_999;
  clock.timeMoved();
  expect(clock.isAtRest(NOTHING)).toBe(true);
  time.nowMs = 60_000;
  expect(clock.isAtRest(NOTHING)).toBe(false);
  time.nowMs = 1;
  const busy = clockOf(7);
  void busy.clock.rests({ ...REST, sockets: 1 });
  busy.time.nowMs = 1;
  expect(busy.clock.isAtRest({ ...NOTHING, sockets: 1 })).toBe(false);
});

test("what reaches a process from outside finds it at the present time, and never another process", async () => {
  const { time, clock } = clockOf(7);
  const reached: string[] = [];
  const slept = clock.rests(REST);
  time.nowMs = 5;
  clock.reach(() => void reached.push("one"));
  expect([await slept, reached, clock.isAtRest(NOTHING)]).toEqual([{ nowMs: 5, wallMs: 1000 }, [], false]);
  const reachedNow = clock.rests({ ...REST, nowMs: 5 });
  expect([reached, (await reachedNow).nowMs]).toEqual([["one"], 5]);
  void clock.rests({ ...REST, nowMs: 5 });
  expect(clock.isAtRest(NOTHING)).toBe(true);
  time.nowMs = 6;
  clock.reach(() => void reached.push("two"));
  clock.restart(8);
  void clock.rests({ ...REST, pid: 8, nowMs: 6 });
  expect(reached).toEqual(["one"]);
});
