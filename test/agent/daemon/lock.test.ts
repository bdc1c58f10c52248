import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { holdDatastore, holderOf, signalDaemon } from "../../../agent/daemon/lock.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** A program that looks like `upkeep daemon` and prints the signals that it gets. */
async function lookalike(): Promise<ChildProcess> {
  const script = join(directory, "upkeep.sh");
  writeFileSync(script, "trap 'echo polled' USR1; trap 'echo sent' USR2; echo ready; while :; do read line; done");
  const child = spawn("sh", [script, "daemon"], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  await once(child.stdout as NodeJS.EventEmitter, "data");
  return child;
}

function datastore(name: string): string {
  mkdirSync(join(directory, name));
  return join(directory, name);
}

describe("the lock of a datastore", () => {
  it("names who holds it", async () => {
    const store = datastore("held");
    const { pid = 0 } = await lookalike();
    writeFileSync(join(store, "upkeep.lock"), `${pid} daemon\n`);
    expect(await holderOf(system.files, store)).toEqual({ pid, command: "daemon" });
    await expect(holdDatastore(system.files, store, { pid: process.pid, command: "install" })).rejects.toMatchObject({
      code: "datastore-held",
      message: `upkeep daemon (process ${pid}) is at work with ${store}; stop it first, for example with 'systemctl stop upkeep'`,
    });
  });

  it("is free again after its holder has let it go", async () => {
    const store = join(directory, "new/deep");
    const release = await holdDatastore(system.files, store, { pid: process.pid, command: "install" });
    expect(readFileSync(join(store, "upkeep.lock"), "utf8")).toBe(`${process.pid} install\n`);
    await release();
    expect(existsSync(join(store, "upkeep.lock"))).toBe(false);
  });

  it.each([
    ["of a program that is no more", "999999999 daemon\n"],
    ["whose number is another program's by now", `${process.pid} daemon\n`],
    ["that was never finished", ""],
  ])("is taken over when it is one %s", async (name, content) => {
    const store = datastore(name);
    writeFileSync(join(store, "upkeep.lock"), content);
    await holdDatastore(system.files, store, { pid: process.pid, command: "commit" });
    expect(readFileSync(join(store, "upkeep.lock"), "utf8")).toBe(`${process.pid} commit\n`);
  });

  it("names a data directory that cannot be used", async () => {
    writeFileSync(join(directory, "file"), "");
    await expect(
      holdDatastore(system.files, join(directory, "file/below"), { pid: 1, command: "daemon" }),
    ).rejects.toMatchObject({ code: "datastore-unusable" });
  });
});

describe("signals to the daemon", () => {
  it("reach it", async () => {
    const store = datastore("signals");
    const child = await lookalike();
    writeFileSync(join(store, "upkeep.lock"), `${child.pid} daemon\n`);
    for (const [signal, word] of [
      ["USR1", "polled"],
      ["USR2", "sent"],
    ] as const) {
      const heard = once(child.stdout as NodeJS.EventEmitter, "data");
      expect(await signalDaemon(system, store, signal, false)).toBe(child.pid);
      child.stdin?.write("\n");
      expect(String((await heard)[0])).toBe(`${word}\n`);
    }
  });

  it("fail where none runs", async () => {
    const store = datastore("quiet");
    await expect(signalDaemon(system, store, "USR1", true)).rejects.toMatchObject({ code: "daemon-not-running" });
  });
});
