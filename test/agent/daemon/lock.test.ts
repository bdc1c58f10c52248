import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { holdDatastore, holderOf, type LockPlaces, signalDaemon } from "../../../agent/daemon/lock.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { until } from "../../support/waiting.ts";
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

function placesOf(name: string): LockPlaces {
  const places = { run: join(directory, name, "run"), datastore: join(directory, name, "data") };
  mkdirSync(places.datastore, { recursive: true });
  return places;
}

const lockIn = (places: LockPlaces): string => join(places.run, `${encodeURIComponent(places.datastore)}.lock`);
const self = (command: string) => ({ pid: process.pid, command });

/** When `pid` was started, as /proc tells it: the 22nd field, counted behind the program's name. */
function startOf(pid: number | undefined): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

const boot = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** A lock as a program that was killed leaves it. */
function leaveLock(places: LockPlaces, name: string): void {
  mkdirSync(lockIn(places), { recursive: true });
  writeFileSync(join(lockIn(places), name), "");
}

function writeLock(places: LockPlaces, { pid }: ChildProcess, changes: { start?: string; boot?: string } = {}): void {
  leaveLock(places, `${pid} daemon ${changes.start ?? startOf(pid)} ${changes.boot ?? boot()}`);
}

describe("the lock of a datastore", () => {
  it("names who holds it", async () => {
    const places = placesOf("held");
    const child = await lookalike();
    writeLock(places, child);
    expect(await holderOf(system.files, places)).toEqual({ pid: child.pid, command: "daemon" });
    await expect(holdDatastore(system.files, places, self("install"))).rejects.toMatchObject({
      code: "datastore-held",
      message: `upkeep daemon (process ${child.pid}) is at work with ${places.datastore}; stop it first, for example with 'systemctl stop upkeep'`,
    });
  });

  it("is held under every name of the datastore", async () => {
    const places = placesOf("linked");
    writeLock(places, await lookalike());
    symlinkSync(places.datastore, join(directory, "link"));
    const linked = { ...places, datastore: join(directory, "link") };
    expect(await holderOf(system.files, linked)).toMatchObject({ command: "daemon" });
  });

  it("is free again after its holder has let it go", async () => {
    const places = placesOf("new");
    const release = await holdDatastore(system.files, places, self("install"));
    expect(readdirSync(lockIn(places))).toEqual([`${process.pid} install ${startOf(process.pid)} ${boot()}`]);
    expect(await holderOf(system.files, places)).toEqual(self("install"));
    await release();
    expect(readdirSync(lockIn(places))).toEqual([]);
    expect(readdirSync(places.run)).toHaveLength(1);
    expect(readdirSync(places.datastore)).toEqual([]);
    await (await holdDatastore(system.files, places, self("commit")))();
  });

  it("of a killed daemon is taken over, though another process with its number looks just like it", async () => {
    const places = placesOf("reused");
    const child = await lookalike();
    writeLock(places, child, { start: String(Number(startOf(child.pid)) - 1) });
    expect(await holderOf(system.files, places)).toBeUndefined();
    const release = await holdDatastore(system.files, places, self("install"));
    expect(await holderOf(system.files, places)).toEqual(self("install"));
    await release();
    writeLock(places, child, { boot: "9d2ff5d1-0000-4000-8000-000000000000" });
    expect(await holderOf(system.files, places)).toBeUndefined();
  });

  it("of a process that has ended, and that its parent has not looked at, is taken over", async () => {
    const places = placesOf("zombie");
    const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; exec sleep 1000"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    started.push(parent);
    const [said] = await once(parent.stdout as NodeJS.EventEmitter, "data");
    const child = { pid: Number(said) } as ChildProcess;
    writeLock(places, child);
    expect(await holderOf(system.files, places)).toMatchObject({ command: "daemon" });
    process.kill(Number(said), "SIGKILL");
    await until("the zombie", () => / Z /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8")) || undefined);
    expect(await holderOf(system.files, places)).toBeUndefined();
  });

  it.each([
    ["of a program that is no more", "999999999 daemon 1 x"],
    ["of something else", "no holder"],
  ])("is taken over when it is one %s", async (name, holder) => {
    const places = placesOf(name);
    leaveLock(places, holder);
    await holdDatastore(system.files, places, self("commit"));
    expect(await holderOf(system.files, places)).toEqual(self("commit"));
    expect(readdirSync(places.run)).toHaveLength(1);
  });

  it("lies in the datastore where nothing can be written in memory", async () => {
    const places = placesOf("elsewhere");
    writeFileSync(places.run, "no directory");
    const release = await holdDatastore(system.files, places, self("daemon"));
    expect(readdirSync(places.datastore)).toEqual(["upkeep.lock.d"]);
    expect(await holderOf(system.files, places)).toEqual(self("daemon"));
    await release();
    expect(readdirSync(join(places.datastore, "upkeep.lock.d"))).toEqual([]);
  });

  it("is had by one of many that ask for it at the same time, a stale one being there", async () => {
    const places = placesOf("many");
    leaveLock(places, "999999999 daemon 1 x");
    const children: ChildProcess[] = [];
    while (children.length < 8) children.push(await lookalike());
    const tries = children.map(({ pid = 0 }) => holdDatastore(system.files, places, { pid, command: "daemon" }));
    const ends = await Promise.allSettled(tries);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("names a data directory that cannot be used", async () => {
    writeFileSync(join(directory, "file"), "");
    const places = { run: join(directory, "file/run"), datastore: join(directory, "file/below") };
    await expect(holdDatastore(system.files, places, self("daemon"))).rejects.toMatchObject({
      code: "datastore-unlockable",
      message: expect.stringContaining(places.datastore),
    });
  });
});

describe("signals to the daemon", () => {
  it("reach it", async () => {
    const places = placesOf("signals");
    const child = await lookalike();
    writeLock(places, child);
    for (const [signal, word] of [
      ["USR1", "polled"],
      ["USR2", "sent"],
    ] as const) {
      const heard = once(child.stdout as NodeJS.EventEmitter, "data");
      expect(await signalDaemon(system, places, signal, false)).toBe(child.pid);
      child.stdin?.write("\n");
      expect(String((await heard)[0])).toBe(`${word}\n`);
    }
  });

  it("fail where none runs", async () => {
    await expect(signalDaemon(system, placesOf("quiet"), "USR1", true)).rejects.toMatchObject({
      code: "daemon-not-running",
    });
  });
});
