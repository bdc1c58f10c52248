import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FifoWriter } from "@upkeep/shared/system";
import { afterEach, describe, expect, it } from "vitest";
import { linuxFiles as files } from "../../../agent/system/files.ts";
import { temporaryDirectory } from "./directory.ts";

const directory = temporaryDirectory();
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

function shell(script: string): ChildProcess {
  const child = spawn("sh", ["-c", script], { cwd: directory, stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  return child;
}

describe("FIFOs of the real door", () => {
  it("makes one with the permissions asked for, and not twice", async () => {
    const path = join(directory, "made");
    await files.makeFifos([path], 0o600);
    expect(await files.status(path)).toMatchObject({ kind: "fifo", mode: 0o600 });
    await expect(files.makeFifos([path])).rejects.toMatchObject({ code: "EEXIST" });
    await expect(files.makeFifos([join(directory, "none/made")])).rejects.toThrow(/cannot make the FIFO .*none\/made/);
  });

  it("tells whether one is being read, also after its name was changed", async () => {
    const path = join(directory, "read");
    const moved = join(directory, "moved");
    await files.makeFifos([path]);
    expect(await files.isFifoRead(path)).toBe(false);
    const reader = shell("exec 3< read; echo open; read -r go; exec 3<&-; echo closed");
    const writer = await files.openFifo(path);
    await writer.close();
    const output = reader.stdout as NodeJS.EventEmitter;
    expect(String((await once(output, "data"))[0])).toBe("open\n");
    await files.rename(path, moved);
    expect(await files.isFifoRead(moved)).toBe(true);
    reader.stdin?.end("go\n");
    expect(String((await once(output, "data"))[0])).toBe("closed\n");
    expect(await files.isFifoRead(moved)).toBe(false);
    await expect(files.isFifoRead(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes a little at once and then much", async () => {
    const path = join(directory, "little-then-much");
    await files.makeFifos([path]);
    const reader = shell("exec 3< little-then-much; echo open; wc -c <&3");
    const output = reader.stdout as NodeJS.EventEmitter;
    const first = await files.openFifo(path);
    expect(String((await once(output, "data"))[0])).toBe("open\n");
    // There is a reader: this one does not wait.
    const writer = await files.openFifo(path);
    await first.close();
    await writer.write(Buffer.alloc(10));
    await writer.write(Buffer.alloc(1024 * 1024));
    await writer.close();
    expect(String((await once(output, "data"))[0]).trim()).toBe(String(10 + 1024 * 1024));
  });

  it("makes several", async () => {
    const paths = ["a", "b", "c"].map((name) => join(directory, name));
    await files.makeFifos(paths);
    for (const path of paths) expect(await files.status(path)).toMatchObject({ kind: "fifo", mode: 0o600 });
  });

  it("waits for a reader until it is told not to, also if the name is gone", async () => {
    // More than there are threads for FIFOs.
    const paths = Array.from({ length: 4 }, (_, index) => join(directory, `unread-${index}`));
    await files.makeFifos(paths);
    const abort = new AbortController();
    const waiting = paths.map((path) => files.openFifo(path, abort.signal));
    await files.remove(paths[0] ?? "");
    const reason = new Error("enough");
    abort.abort(reason);
    expect(await Promise.allSettled(waiting)).toEqual(paths.map(() => ({ status: "rejected", reason })));
    await expect(files.openFifo(paths[1] ?? "", abort.signal)).rejects.toBe(reason);
  });

  it("keeps a program that waits for a reader from nothing, not even from its end", async () => {
    const path = join(directory, "unread-at-the-end");
    await files.makeFifos([path]);
    const module = join(import.meta.dirname, "../../../agent/system/files.ts");
    const program = spawn(
      process.execPath,
      [
        ...["--conditions", "development", "--import", import.meta.resolve("tsx"), "--input-type=module", "--eval"],
        `import { linuxFiles } from ${JSON.stringify(module)};
linuxFiles.openFifo(${JSON.stringify(path)});
setImmediate(() => process.exit(3));`,
      ],
      { stdio: "inherit" },
    );
    started.push(program);
    expect(await once(program, "exit")).toEqual([3, null]);
  });

  it("refuses what is no FIFO, and what is not there", async () => {
    writeFileSync(join(directory, "plain"), "");
    await expect(files.openFifo(join(directory, "plain"))).rejects.toMatchObject({ code: "EINVAL" });
    await expect(files.openFifo(join(directory, "nothing"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("hands over every byte, then the end", async () => {
    const path = join(directory, "whole");
    await files.makeFifos([path]);
    const reader = shell("wc -c < whole");
    const writer = await files.openFifo(path);
    const chunk = Buffer.alloc(1024 * 1024, 7);
    for (let count = 0; count < 16; count++) await writer.write(chunk);
    await writer.close();
    const [said] = await once(reader.stdout as NodeJS.EventEmitter, "data");
    expect(String(said).trim()).toBe(String(16 * 1024 * 1024));
  });

  it("tells when the reader has gone", async () => {
    const path = join(directory, "gone");
    await files.makeFifos([path]);
    shell("head -c 10 < gone > /dev/null");
    const writer = await files.openFifo(path);
    const chunk = Buffer.alloc(1024 * 1024);
    await expect(
      (async () => {
        for (;;) await writer.write(chunk);
      })(),
    ).rejects.toMatchObject({ code: "EPIPE" });
    await expect(writer.write(chunk)).rejects.toMatchObject({ code: "EPIPE" });
    await writer.close();
  });

  it("closes while a write is stuck that nobody takes, and lets the reader see the end", async () => {
    const path = join(directory, "abandoned");
    await files.makeFifos([path]);
    const reader = shell("exec 3< abandoned; read -r go; wc -c <&3 > /dev/null; echo ended");
    const writer = await files.openFifo(path);
    const abort = new AbortController();
    const write = writer.write(Buffer.alloc(4 * 1024 * 1024), abort.signal);
    const reason = new Error("enough");
    abort.abort(reason);
    await expect(write).rejects.toBe(reason);
    await writer.close();
    await writer.close();
    reader.stdin?.end("go\n");
    const [said] = await once(reader.stdout as NodeJS.EventEmitter, "data");
    expect(String(said)).toBe("ended\n");
  });

  it("lets eight that are opened at the same instant, and nobody empties, stop nothing", async () => {
    const paths = Array.from({ length: 8 }, (_, index) => join(directory, `crowd-${index}`));
    for (const [index, path] of paths.entries()) {
      await files.makeFifos([path]);
      shell(`exec 3< crowd-${index}; exec sleep 600`);
      await (await files.openFifo(path)).close();
    }
    const writers = await Promise.all(paths.map((path) => files.openFifo(path)));
    const abort = new AbortController();
    const writes = writers.map((writer) => writer.write(Buffer.alloc(1024 * 1024), abort.signal));
    await Promise.all(Array.from({ length: 16 }, () => files.list(directory)));
    const reason = new Error("enough");
    abort.abort(reason);
    for (const write of writes) await expect(write).rejects.toBe(reason);
    for (const writer of writers) await writer.close();
  });

  it("lets eight that nobody empties stop nothing", async () => {
    const stuck: FifoWriter[] = [];
    const writes: Promise<void>[] = [];
    const abort = new AbortController();
    for (let index = 0; index < 8; index++) {
      const path = join(directory, `stuck-${index}`);
      await files.makeFifos([path]);
      shell(`exec 3< stuck-${index}; exec sleep 600`);
      const writer = await files.openFifo(path);
      stuck.push(writer);
      writes.push(writer.write(Buffer.alloc(1024 * 1024), abort.signal));
    }
    // More work for the thread pool than it has threads.
    await Promise.all(Array.from({ length: 16 }, () => files.list(directory)));
    const reason = new Error("enough");
    abort.abort(reason);
    for (const write of writes) await expect(write).rejects.toBe(reason);
    for (const writer of stuck) await writer.close();
  });
});
