import { SystemError, type Timer } from "@upkeep/shared/system";
import { describe, expect, it, vi } from "vitest";
import { Notifier, type NotifySystem } from "../../../agent/daemon/notify.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { KeptLog } from "../support-server/log.ts";

/** Timers that are fired by hand, and programs that are only written down. */
function door(exit: () => Promise<{ code: number }> = async () => ({ code: 0 })) {
  const programs: string[] = [];
  const timers: { delayMs: number; action: () => void }[] = [];
  const system: NotifySystem = {
    timers: {
      after: (delayMs, action): Timer => {
        const timer = { delayMs, action };
        timers.push(timer);
        return { cancel: () => timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0) };
      },
      sleep: async () => undefined,
    },
    processes: {
      start: async ({ args }) => {
        programs.push(args.join(" "));
        return { pid: 1, exit: exit(), signal: (name) => programs.push(name) };
      },
      onSignal: () => () => undefined,
    },
  };
  return { system, programs, timers };
}

const UNIT = { NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "1800000000" };

describe("the notifier", () => {
  it("says nothing where systemd does not listen", async () => {
    const { system, programs, timers } = door();
    const notifier = new Notifier(system, { WATCHDOG_USEC: "1" }, new KeptLog());
    await notifier.ready();
    notifier.watch(() => true);
    await notifier.status("x");
    expect({ programs, timers }).toEqual({ programs: [], timers: [] });
  });

  it("tells the watchdog twice in its interval, unless the scheduler has stopped", async () => {
    const { system, programs, timers } = door();
    const log = new KeptLog();
    let healthy = true;
    new Notifier(system, UNIT, log).watch(() => healthy);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([900_000]);
    timers.shift()?.action();
    await vi.waitUntil(() => programs.length > 0, { timeout: WAIT_MS });
    expect(programs).toEqual(["WATCHDOG=1"]);
    // systemd-notify has ended, and its deadline with it.
    await vi.waitUntil(() => timers.length === 1, { timeout: WAIT_MS });
    healthy = false;
    timers.shift()?.action();
    expect(programs).toEqual(["WATCHDOG=1"]);
    expect(log.lines).toEqual(["warning the scheduler is overdue: leaving it to systemd's watchdog"]);
    expect(timers).toHaveLength(1);
  });

  it("tells a status once", async () => {
    const { system, programs } = door();
    const notifier = new Notifier(system, UNIT, new KeptLog());
    for (const status of ["a", "a", "b"]) await notifier.status(status);
    expect(programs).toEqual(["STATUS=a", "STATUS=b"]);
  });

  it("goes on where systemd-notify fails or is missing", async () => {
    const log = new KeptLog();
    await new Notifier(door(async () => ({ code: 1 })).system, UNIT, log).ready();
    const { system } = door();
    const start = async (): Promise<never> => {
      throw new SystemError("ENOENT", "no systemd-notify");
    };
    const missing = { ...system, processes: { ...system.processes, start } };
    await new Notifier(missing, UNIT, log).ready();
    expect(log.lines).toEqual([
      "warning systemd-notify READY=1 exited with code 1",
      "warning systemd cannot be told READY=1: no systemd-notify",
    ]);
  });

  it("waits for a systemd-notify that hangs no longer than its deadline, and ends it", async () => {
    const log = new KeptLog();
    const { system, programs, timers } = door(() => new Promise(() => undefined));
    const ready = new Notifier(system, UNIT, log).ready();
    for (const wantedMs of [10_000, 1000, 1000]) {
      await vi.waitUntil(() => timers.length === 1, { timeout: WAIT_MS });
      const [timer] = timers.splice(0);
      expect(timer?.delayMs).toBe(wantedMs);
      timer?.action();
    }
    await ready;
    expect(programs).toEqual(["READY=1", "SIGTERM", "SIGKILL", "SIGKILL"]);
    expect(log.lines).toEqual(["warning systemd-notify READY=1 could not be killed"]);
  });
});
