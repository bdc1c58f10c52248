import { SystemError, type Timer } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import { Notifier, type NotifySystem } from "../../../agent/daemon/notify.ts";
import { KeptLog } from "../support-server/log.ts";

/** Timers that are fired by hand, and programs that are only written down. */
function door(start: () => Promise<{ code: number }> = async () => ({ code: 0 })) {
  const programs: string[] = [];
  const timers: { delayMs: number; action: () => void }[] = [];
  const system: NotifySystem = {
    timers: {
      after: (delayMs, action): Timer => {
        timers.push({ delayMs, action });
        return { cancel: () => timers.splice(0) };
      },
      sleep: async () => undefined,
    },
    processes: {
      start: async ({ args }) => {
        programs.push(args.join(" "));
        return { pid: 1, exit: Promise.resolve(await start()), signal: () => undefined };
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

  it("tells the watchdog twice in its interval, unless the scheduler has stopped", () => {
    const { system, programs, timers } = door();
    const log = new KeptLog();
    let healthy = true;
    new Notifier(system, UNIT, log).watch(() => healthy);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([900_000]);
    timers.shift()?.action();
    expect(programs).toEqual(["WATCHDOG=1"]);
    healthy = false;
    timers.shift()?.action();
    expect(programs).toEqual(["WATCHDOG=1"]);
    expect(log.lines).toEqual(["error the scheduler is overdue: leaving it to systemd's watchdog"]);
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
    const missing = door(async () => {
      throw new SystemError("ENOENT", "no systemd-notify");
    });
    await new Notifier(missing.system, UNIT, log).ready();
    expect(log.lines).toEqual([
      "warning systemd-notify READY=1 failed",
      "warning systemd cannot be told READY=1: no systemd-notify",
    ]);
  });
});
