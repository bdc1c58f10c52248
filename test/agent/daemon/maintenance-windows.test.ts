import { beforeEach, describe, expect, it } from "vitest";
import type { WindowSettings } from "../../../agent/config/settings.ts";
import { Daemon } from "../../../agent/daemon/daemon.ts";
import { MaintenanceWindows } from "../../../agent/daemon/maintenance-windows.ts";
import { Notifier } from "../../../agent/daemon/notify.ts";
import { linuxCron } from "../../../agent/system/cron.ts";
import { simulatedCron } from "../../../mock-server/scenarios/simulation/cron.ts";
import { VirtualTime } from "../support/virtual-time.ts";
import { KeptLog } from "../support-server/log.ts";

const HOUR = 3_600_000;

/** A device whose virtual time begins on Thursday, 1 January 2026, 00:00 UTC. */
class Device {
  readonly time = new VirtualTime();
  readonly log = new KeptLog();
  readonly events: string[] = [];
  fraction = 0;
  readonly #processes = {
    start: async () => ({ pid: 1, exit: Promise.resolve({ code: 0 }), signal: () => undefined }),
    onSignal: (name: string, action: () => void) => {
      if (name === "SIGUSR1") this.ask = action;
      return () => undefined;
    },
  };
  ask: () => void = () => undefined;

  readonly system = {
    clock: this.time,
    timers: this.time,
    processes: this.#processes,
    random: { bytes: () => new Uint8Array(), uuid: () => "", fraction: () => this.fraction },
    cron: simulatedCron({
      now: () => this.time.now(),
      after: (delayMs, action) => this.time.after(delayMs, action),
      onSet: () => () => undefined,
    }),
  };

  windows(settings: Partial<WindowSettings>): MaintenanceWindows {
    const all = { polls: undefined, installs: undefined, timezone: "UTC", randomDelayMs: 0, ...settings };
    return new MaintenanceWindows(this.system, all, this.log);
  }

  /** What the daemon does in `hours`, each with its time, when the server always offers a deployment. */
  async run(hours: number, settings: Partial<WindowSettings>): Promise<string[]> {
    const note = (event: string): void => {
      this.events.push(`${new Date(this.time.now()).toISOString().slice(8, 16)} ${event}`);
    };
    const backoff = { longestMs: 300_000, count: 0 };
    const daemon = new Daemon({
      system: this.system,
      server: {
        poll: async () => {
          note("poll");
          return { id: "d1", artifact: { source: { uri: "http://host/a" } } };
        },
        sendInventory: async () => true,
        hasInventory: true,
      },
      engine: {
        runDeployment: async () => {
          note("install");
          return {
            kind: "finished",
            deployment: "d1",
            status: "success",
            device: "new",
            artifactName: "r2",
            failure: undefined,
            reported: "accepted",
          };
        },
        resume: async () => undefined,
      },
      provides: async () => ({ device_type: "board", artifact_name: "r1" }),
      inventory: async () => [],
      polls: { intervalMs: settings.polls === undefined ? 12 * HOUR : Number.POSITIVE_INFINITY, jitter: 0, backoff },
      inventories: { intervalMs: 100 * HOUR, jitter: 0, backoff },
      windows: this.windows(settings),
      notifier: new Notifier(this.system, {}, this.log),
      log: this.log,
    });
    this.time.after(hours * HOUR, () => daemon.stop());
    await daemon.run();
    this.time.clear();
    return this.events;
  }
}

let device: Device;

beforeEach(() => {
  device = new Device();
});

describe("maintenance windows", () => {
  it("let the daemon poll at the times of a schedule, and at no other", async () => {
    expect(await device.run(60, { polls: "0 3,15 * * *" })).toEqual([
      "01T03:00 poll",
      "01T03:00 install",
      "01T15:00 poll",
      "01T15:00 install",
      "02T03:00 poll",
      "02T03:00 install",
      "02T15:00 poll",
      "02T15:00 install",
      "03T03:00 poll",
      "03T03:00 install",
    ]);
  });

  it("delay what they begin at random, so that a fleet does not move as one", async () => {
    device.fraction = 0.5;
    expect(await device.run(30, { polls: "0 3 * * *", randomDelayMs: HOUR })).toEqual([
      "01T03:30 poll",
      "01T03:30 install",
      "02T03:30 poll",
      "02T03:30 install",
    ]);
  });

  it("keep what is offered until an update may begin, and ask again then", async () => {
    expect(await device.run(30, { installs: "* 2-4 * * 5" })).toEqual([
      "01T00:00 poll",
      "01T12:00 poll",
      "02T00:00 poll",
      "02T02:00 poll",
      "02T02:00 install",
    ]);
    expect(device.log.lines).toContain(
      "info deployment d1 is offered; it waits for the window in which updates may begin",
    );
  });

  it("are looked at again after the random delay: one that has closed meanwhile is closed", async () => {
    device.fraction = 0.5;
    expect(await device.run(20, { installs: "0-20 2 * * *", randomDelayMs: HOUR })).toEqual([
      "01T00:00 poll",
      "01T02:30 poll",
      "01T14:30 poll",
    ]);
  });

  it("hold for whoever asks by hand too", async () => {
    device.time.after(HOUR, () => device.ask());
    device.time.after(3 * HOUR, () => device.ask());
    expect(await device.run(5, { polls: "0 23 * * *", installs: "* 2-4 * * *" })).toEqual([
      "01T01:00 poll",
      "01T02:00 poll",
      "01T02:00 install",
      "01T03:00 poll",
      "01T03:00 install",
    ]);
  });

  it("are those of the time zone that is configured", async () => {
    // Three o'clock in Kolkata is half past nine in the evening before, in UTC.
    expect(await device.run(22, { polls: "0 3 * * *", timezone: "Asia/Kolkata" })).toEqual([
      "01T21:30 poll",
      "01T21:30 install",
    ]);
  });

  it.each([
    [{ polls: "every day" }, "UpdatePollSchedule must have five fields, but 'every day' has 2"],
    [{ installs: "* * 2-4 * * 6" }, "InstallWindow must have five fields"],
    [{ installs: "* 25 * * *" }, "InstallWindow: cron expression '* 25 * * *'"],
    [{ polls: "0 3 30 2 *" }, "UpdatePollSchedule: cron expression '0 3 30 2 *'"],
    [{ installs: "* * 31 4,6,9,11 *" }, "InstallWindow: cron expression '* * 31 4,6,9,11 *'"],
    [{ polls: "0 3 * * *", timezone: "Mars/Base" }, "ScheduleTimezone: time zone 'Mars/Base' is not known"],
  ])("that cannot be meant are refused by name: %j", async (settings, message) => {
    await expect(device.windows(settings).check()).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining(message),
    });
  });

  it("that have no next time at all are refused by name, whatever cron makes of them", async () => {
    const never = { next: () => undefined, stop: () => undefined };
    const cron = { ...device.system.cron, schedule: async () => never };
    const settings = { polls: "0 3 * * *", installs: undefined, timezone: "UTC", randomDelayMs: 0 };
    await expect(
      new MaintenanceWindows({ ...device.system, cron }, settings, device.log).check(),
    ).rejects.toMatchObject({
      code: "config-invalid",
      message: "UpdatePollSchedule: cron expression '0 3 * * *' names a time that never comes",
    });
  });

  it("that come seldom are told, with the next time, and no others", async () => {
    await device.windows({ polls: "0 3 1 * *", installs: "* 2-4 * * 6,0" }).check();
    expect(device.log.lines).toEqual([]);
    await device.windows({ polls: "0 3 29 2 *", installs: "* * 1 7 *" }).check();
    expect(device.log.lines).toEqual([
      "warning UpdatePollSchedule is '0 3 29 2 *', which comes next at 2028-02-29T03:00:00.000Z: until then the server is not asked for deployments",
      "warning InstallWindow is '* * 1 7 *', which comes next at 2026-07-01T00:00:00.000Z: until then no update begins",
    ]);
  });

  it("are known to the real cron as well: what comes when, and what never does", async () => {
    const system = { ...device.system, cron: linuxCron };
    const windows = (polls: string) =>
      new MaintenanceWindows(system, { polls, installs: undefined, timezone: "UTC", randomDelayMs: 0 }, device.log);
    await expect(windows("0 3 30 2 *").check()).rejects.toMatchObject({ code: "config-invalid" });
    const task = await linuxCron.schedule("0 3 29 2 *", () => undefined, "UTC");
    expect(new Date(task.next() ?? 0).toISOString()).toMatch(/^20\d\d-02-29T03:00:00/);
    task.stop();
  });
});
