import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSystemError } from "@upkeep/shared/system";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openSystem } from "../../../mock-server/system/index.ts";
import { lockDirectory } from "../../../mock-server/system/lock.ts";
import { canMount, mountTmpfs, unmountAll } from "../../support/mounted.ts";

const system = openSystem();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-system-"));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
  return "";
};

describe("files", () => {
  test.runIf(canMount())("say so when there is no room for directories", async () => {
    const full = join(folder, "full");
    mountTmpfs(full, "nr_inodes=1");
    try {
      expect(await codeOf(system.files.makeDirectory(join(full, "a/b")))).toBe("ENOSPC");
    } finally {
      unmountAll();
    }
  });

  test("are written, read at any place, listed, renamed and removed", async () => {
    const { files } = system;
    const path = join(folder, "b");
    const handle = await files.open(path, "exclusive", 0o640);
    await handle.write(Buffer.from("0123456789"));
    await handle.write(Buffer.from("AB"), 4);
    await handle.sync();
    expect(await handle.status()).toMatchObject({ kind: "file", sizeBytes: 10, mode: 0o640 });
    await handle.close();
    await files.makeDirectory(join(folder, "a", "c"));
    expect(await files.list(folder)).toEqual([
      { name: "a", kind: "directory" },
      { name: "b", kind: "file" },
    ]);
    await files.rename(path, join(folder, "d"));
    await files.syncDirectory(folder);
    const reading = await files.open(join(folder, "d"), "read");
    const buffer = Buffer.alloc(4);
    expect(await reading.read(buffer, 3)).toBe(4);
    expect(buffer.toString()).toBe("3AB6");
    expect(await reading.read(buffer, 10)).toBe(0);
    await reading.close();
    await files.remove(join(folder, "a"));
    await files.remove(join(folder, "not-there"));
    expect(await files.list(folder)).toEqual([{ name: "d", kind: "file" }]);
  });

  test("reject with the platform's code", async () => {
    const { files } = system;
    writeFileSync(join(folder, "f"), "");
    expect(await codeOf(files.open(join(folder, "none"), "read"))).toBe("ENOENT");
    expect(await codeOf(files.open(join(folder, "f"), "exclusive"))).toBe("EEXIST");
    expect(await codeOf(files.list(join(folder, "none")))).toBe("ENOENT");
    expect(await codeOf(files.makeDirectory(join(folder, "f", "x")))).toBe("ENOTDIR");
    expect(await files.status(join(folder, "none"))).toBeUndefined();
    expect(await files.status(join(folder, "f", "x"))).toBeUndefined();
    expect(await files.isExecutable(join(folder, "f"))).toBe(false);
    await files.setPermissions(join(folder, "f"), 0o755);
    expect(await files.isExecutable(join(folder, "f"))).toBe(true);
    expect(await files.freeBytes(folder)).toBeGreaterThan(0);
  });
});

describe("time", () => {
  test("a delay longer than the platform's timer keeps is honoured", async () => {
    vi.useFakeTimers();
    const monthMs = 31 * 86_400_000;
    const called: string[] = [];
    const kept = system.timers.after(monthMs, () => called.push("kept"));
    const cancelled = system.timers.after(monthMs, () => called.push("cancelled"));
    await vi.advanceTimersByTimeAsync(monthMs - 1);
    expect(called).toEqual([]);
    cancelled.cancel();
    await vi.advanceTimersByTimeAsync(1);
    expect(called).toEqual(["kept"]);
    kept.cancel();
  });

  test("a sleep ends when it is aborted, with the reason", async () => {
    const controller = new AbortController();
    const sleeping = system.timers.sleep(86_400_000, controller.signal);
    controller.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    await expect(system.timers.sleep(86_400_000, controller.signal)).rejects.toThrow("enough");
    await system.timers.sleep(0);
  });
});

test("what a server never does is refused with a reason", async () => {
  const { processes, power, cron, files } = system;
  expect(await codeOf(processes.start({ command: "true", args: [] }))).toBe("ENOSYS");
  await expect(power.reboot()).rejects.toThrow("the server does not reboot the machine it runs on");
  expect(() => cron.schedule("* * * * *", () => undefined)).toThrow("the server keeps no cron schedules");
  expect(await codeOf(files.makeFifos([join(folder, "fifo")]))).toBe("ENOSYS");
});

test("a directory is locked once, until it is released", () => {
  const lock = lockDirectory(folder);
  expect(() => lockDirectory(folder)).toThrow(`another server is using ${folder}`);
  lock.release();
  lockDirectory(folder).release();
});
