import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FifoWriter } from "@upkeep/shared/system";
import { afterEach, describe, expect, it, vi } from "vitest";
import { linuxFiles as files } from "../../../agent/system/files.ts";
import { WAIT_MS } from "../../support/patience.ts";
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

async function writerOf(path: string): Promise<FifoWriter> {
  let writer: FifoWriter | undefined;
  await vi.waitFor(
    async () => {
      writer = await files.openFifo(path);
      expect(writer).toBeDefined();
    },
    { timeout: WAIT_MS, interval: 5 },
  );
  if (writer === undefined) throw new Error("nobody reads");
  return writer;
}

describe("FIFOs of the real door", () => {
  it("makes one with the permissions asked for, and not twice", async () => {
    const path = join(directory, "made");
    await files.makeFifo(path, 0o600);
    expect(await files.status(path)).toMatchObject({ kind: "fifo", mode: 0o600 });
    await expect(files.makeFifo(path)).rejects.toMatchObject({ code: "EEXIST" });
    await expect(files.makeFifo(join(directory, "none/made"))).rejects.toThrow(/cannot make the FIFO .*none\/made/);
  });

  it("does not wait for a reader", async () => {
    await files.makeFifo(join(directory, "unread"));
    expect(await files.openFifo(join(directory, "unread"))).toBeUndefined();
  });

  it("refuses what is no FIFO, and what is not there", async () => {
    writeFileSync(join(directory, "plain"), "");
    await expect(files.openFifo(join(directory, "plain"))).rejects.toMatchObject({ code: "EINVAL" });
    await expect(files.openFifo(join(directory, "nothing"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("hands over every byte, then the end", async () => {
    const path = join(directory, "whole");
    await files.makeFifo(path);
    const reader = shell("wc -c < whole");
    const writer = await writerOf(path);
    const chunk = Buffer.alloc(1024 * 1024, 7);
    for (let count = 0; count < 16; count++) await writer.write(chunk);
    await writer.close();
    const [said] = await once(reader.stdout as NodeJS.EventEmitter, "data");
    expect(String(said).trim()).toBe(String(16 * 1024 * 1024));
  });

  it("tells when the reader has gone", async () => {
    const path = join(directory, "gone");
    await files.makeFifo(path);
    shell("head -c 10 < gone > /dev/null");
    const writer = await writerOf(path);
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
    await files.makeFifo(path);
    const reader = shell("exec 3< abandoned; read -r go; wc -c <&3 > /dev/null; echo ended");
    const writer = await writerOf(path);
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
      await files.makeFifo(path);
      shell(`exec 3< crowd-${index}; exec sleep 600`);
      await (await writerOf(path)).close();
    }
    const opened = await Promise.all(paths.map((path) => files.openFifo(path)));
    const writers = opened.filter((writer) => writer !== undefined);
    expect(writers).toHaveLength(8);
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
      await files.makeFifo(path);
      shell(`exec 3< stuck-${index}; exec sleep 600`);
      const writer = await writerOf(path);
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
