import { createTask } from "node-cron";
import { afterEach, expect, test, vi } from "vitest";
import { linuxCron } from "../../../../agent/system/cron.ts";
import {
  CronInstants,
  Disk,
  SimulatedMachine,
  VirtualTime,
} from "../../../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../../../mock-server/system/seeded-random.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** What node-cron itself computes when that is the time. */
function byNodeCron(expression: string, afterMs: number, timezone: string): number | undefined {
  vi.useFakeTimers({ toFake: ["Date"], now: afterMs });
  const task = createTask(expression, () => undefined, { timezone });
  void task.start();
  const next = task.getNextRun()?.getTime();
  void task.destroy();
  return next;
}

test("the minutes that an expression names are those of the real door", async () => {
  const chance = new SeededRandom("minutes");
  for (const expression of ["* 2-4 * * 6,0", "*/7 1,13 * * *", "30 2 * * *", "* * L * *"]) {
    for (let count = 0; count < 50; count++) {
      const at = Date.UTC(2026, 0, 1) + chance.integer(366) * 86_400_000 + chance.integer(86_400_000);
      expect({ expression, at, matches: new CronInstants(expression, "Europe/Berlin").matchesMinute(at) }).toEqual({
        expression,
        at,
        matches: await linuxCron.matches(expression, at, "Europe/Berlin"),
      });
    }
  }
});

const EXPRESSIONS = [
  "* * * * *",
  "*/7 * * * *",
  "*/20 30 3 * * *",
  "0 2 * * *",
  "30 2 * * *",
  "30 2 * * 0",
  "15,45 8-17 * * 1-5",
  "0 0 1 * *",
  "0 12 29 2 *",
  "0 22 * * 5#2",
  "0 6 L * *",
];

test.each(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])(
  "instants in %s are those of node-cron, the days when clocks change included",
  (timezone) => {
    const chance = new SeededRandom(timezone);
    for (const expression of EXPRESSIONS) {
      const instants = new CronInstants(expression, timezone);
      const starts = [
        Date.UTC(2026, 2, 28, 22, 30),
        Date.UTC(2026, 2, 29, 0, 59, 59),
        Date.UTC(2026, 9, 24, 23, 15),
        Date.UTC(2026, 9, 25, 0, 30),
        Date.UTC(2026, 9, 25, 1, 30),
        Date.UTC(2026, 10, 1, 5, 30),
        ...Array.from(
          { length: 10 },
          () => Date.UTC(2026, 0, 1) + chance.integer(1000) * 37_000_000 + chance.integer(60_000),
        ),
      ];
      for (const start of starts)
        expect({ expression, start, next: instants.next(start) }).toEqual({
          expression,
          start,
          next: byNodeCron(expression, start, timezone),
        });
    }
  },
);

test("a task is called at each instant of virtual time until it is stopped, and follows the wall clock", async () => {
  const time = new VirtualTime();
  const start = Date.UTC(2026, 0, 1, 0, 10);
  const device = new SimulatedMachine({ time, chance: new SeededRandom(0), disk: Disk.blank(), wallClockMs: start });
  const calls: string[] = [];
  await time.until(
    device.boot(async ({ cron, clock, timers }) => {
      const task = await cron.schedule("0 * * * *", () => calls.push(new Date(clock.now()).toISOString()), "UTC");
      await timers.sleep(2 * 3600_000);
      device.setWallClock(Date.UTC(2026, 5, 1, 11, 59));
      await timers.sleep(120_000);
      task.stop();
      await timers.sleep(24 * 3600_000);
    }),
  );
  expect(calls).toEqual(["2026-01-01T01:00:00.000Z", "2026-01-01T02:00:00.000Z", "2026-06-01T12:00:00.000Z"]);
});

test("what is no cron expression is refused by name", async () => {
  const time = new VirtualTime();
  const device = new SimulatedMachine({ time, chance: new SeededRandom(0), disk: Disk.blank() });
  const found: unknown[] = [];
  await time.until(
    device.boot(async ({ cron }) => {
      found.push(await cron.fault("0 * * * *"), await cron.fault("0 25 * * *"));
      found.push(await cron.schedule("nonsense", () => undefined).catch((error: { code: string }) => error.code));
    }),
  );
  expect(found).toEqual([undefined, expect.stringContaining("hour"), "EINVAL"]);
});
