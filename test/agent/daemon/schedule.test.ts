import { describe, expect, it } from "vitest";
import { Schedule } from "../../../agent/daemon/schedule.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;

function schedule(intervalMs = HOUR, fraction = 0, count = 0): Schedule {
  return new Schedule({ intervalMs, jitter: 0.1, backoff: { longestMs: 300_000, count } }, 0, () => fraction);
}

describe("the schedule", () => {
  it("is due at once, then after the interval and a random part of it", () => {
    const polls = schedule(HOUR, 0.5);
    expect(polls.dueAt).toBe(0);
    polls.begin(1000);
    polls.succeeded();
    expect(polls.dueAt).toBe(1000 + HOUR * 1.05);
  });

  it("is due again however the round that began went on, even if it never said", () => {
    const polls = schedule();
    polls.begin(0);
    expect(polls.dueAt).toBe(HOUR);
  });

  it("tries again sooner after a failure, less and less soon, and then at the regular time", () => {
    const polls = schedule(10 * HOUR);
    polls.begin(0);
    const pauses = Array.from({ length: 12 }, () => polls.failed(0) / MINUTE);
    expect(pauses).toEqual([1, 1, 1, 2, 2, 2, 4, 4, 4, 5, 5, 5]);
    expect(polls.failed(0)).toBe(10 * HOUR);
    expect(polls.failed(0)).toBe(MINUTE);
  });

  it("begins with the shortest pause again after a success", () => {
    const polls = schedule(10 * HOUR);
    polls.begin(0);
    for (let count = 0; count < 5; count++) polls.failed(0);
    polls.succeeded();
    expect(polls.failed(0)).toBe(MINUTE);
  });

  it("is not later than the regular time, unless the server wants it", () => {
    const polls = schedule(5000);
    polls.begin(0);
    expect(polls.failed(0)).toBe(5000);
    expect(polls.failed(0, 2 * HOUR)).toBe(2 * HOUR);
  });

  it("counts what the server asked for as no try", () => {
    const polls = schedule(100 * HOUR, 0, 2);
    polls.begin(0);
    for (let count = 0; count < 10; count++) polls.failed(0, 1000);
    expect(polls.failed(0)).toBe(MINUTE);
    expect(polls.failed(0)).toBe(MINUTE);
    expect(polls.failed(0)).toBe(100 * HOUR);
  });

  it("keeps a request that comes while a round is under way", () => {
    const polls = schedule();
    polls.begin(0);
    polls.request();
    polls.succeeded();
    expect(polls.dueAt).toBeLessThan(0);
    polls.begin(10);
    expect(polls.dueAt).toBe(10 + HOUR);
  });
});
