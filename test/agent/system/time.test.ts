import { afterEach, describe, expect, it, vi } from "vitest";
import { linuxCron } from "../../../agent/system/cron.ts";
import { linuxRandom } from "../../../agent/system/random.ts";
import { linuxTimers } from "../../../agent/system/time.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("timers of the real door", () => {
  it("honour a delay that setTimeout cannot hold", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
    const action = vi.fn();
    const days = 24 * 3600 * 1000;
    linuxTimers.after(60 * days, action);
    await vi.advanceTimersByTimeAsync(60 * days - 1000);
    expect(action).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1001);
    expect(action).toHaveBeenCalledTimes(1);
  });

  it("forget a call that was cancelled, also after the first part of a long delay", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
    const action = vi.fn();
    const timer = linuxTimers.after(2 ** 32, action);
    await vi.advanceTimersByTimeAsync(2 ** 31 + 5);
    timer.cancel();
    await vi.advanceTimersByTimeAsync(2 ** 32);
    expect(action).not.toHaveBeenCalled();
  });

  it("end a sleep with the reason of the abort", async () => {
    const abort = new AbortController();
    const sleep = linuxTimers.sleep(3_600_000, abort.signal);
    const reason = new Error("wake up");
    abort.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(linuxTimers.sleep(0, abort.signal)).rejects.toBe(reason);
    await linuxTimers.sleep(0);
  });
});

describe("chance of the real door", () => {
  it("gives fractions from 0 up to below 1, and version 4 UUIDs", () => {
    const fractions = Array.from({ length: 1000 }, () => linuxRandom.fraction());
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    expect(new Set(fractions).size).toBeGreaterThan(990);
    expect(linuxRandom.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(linuxRandom.bytes(12)).toHaveLength(12);
  });
});

describe("cron of the real door", () => {
  it("tells what is wrong with an expression", async () => {
    expect(await linuxCron.fault("*/5 2-4 * * 1")).toBeUndefined();
    expect(await linuxCron.fault("61 * * * *")).toMatch(/minute/);
    await expect(linuxCron.schedule("every day", () => undefined)).rejects.toMatchObject({ code: "EINVAL" });
  });

  it("calls at each instant that matches until it is stopped", async () => {
    let task: { stop(): void } | undefined;
    await new Promise<void>((resolve, reject) => {
      linuxCron.schedule("* * * * * *", resolve).then((scheduled) => {
        task = scheduled;
      }, reject);
    });
    task?.stop();
    expect(task).toBeDefined();
  });

  it("tells whether a minute is one of those named", async () => {
    const at = (text: string) => linuxCron.matches("* 2-4 * * 6,0", Date.parse(text), "Europe/Oslo");
    expect(await at("2026-11-22T02:00:00+01:00")).toBe(true);
    expect(await at("2026-11-22T04:59:59.999+01:00")).toBe(true);
    expect(await at("2026-11-22T05:00:00+01:00")).toBe(false);
    expect(await at("2026-11-22T02:00:00Z")).toBe(true);
    expect(await at("2026-11-22T01:59:59+01:00")).toBe(false);
    expect(await at("2026-11-23T03:00:00+01:00")).toBe(false);
    await expect(linuxCron.matches("x", 0)).rejects.toMatchObject({ code: "EINVAL" });
    await expect(linuxCron.matches("* * * * *", 0, "Mars/Base")).rejects.toMatchObject({ code: "EINVAL" });
  });
});
