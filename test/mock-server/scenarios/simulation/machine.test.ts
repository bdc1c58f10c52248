import { readTextFile, replaceFile, type System, SystemError } from "@upkeep/shared/system";
import { describe, expect, test } from "vitest";
import {
  BOOT_LOADER_TOOLS,
  BootLoader,
  Disk,
  EVERYTHING_KEPT,
  type MachineOptions,
  type MainProgram,
  NothingWillHappen,
  rootImage,
  SimulatedMachine,
  survivalByChance,
  Trace,
  VirtualTime,
} from "../../../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../../../mock-server/system/seeded-random.ts";

const DAY_MS = 24 * 3600_000;

function machine(options: Partial<MachineOptions> = {}) {
  const time = options.time ?? new VirtualTime();
  return {
    time,
    machine: new SimulatedMachine({ time, chance: new SeededRandom("test"), disk: Disk.blank(), ...options }),
  };
}

/** Run one boot to its end, and give what the program found out. */
async function run<T>(program: (system: System) => Promise<T>, options: Partial<MachineOptions> = {}): Promise<T> {
  const { time, machine: device } = machine(options);
  let found: { readonly value: T } | undefined;
  const end = await time.until(
    device.boot(async (system) => {
      found = { value: await program(system) };
    }),
  );
  if (end.kind === "threw") throw end.error;
  if (found === undefined) throw new Error(`the boot ended: ${end.kind}`);
  return found.value;
}

describe("virtual time", () => {
  test("a week passes at once, and every poll of it comes at its instant", async () => {
    const polls = await run(async ({ clock, timers }) => {
      const instants: number[] = [];
      for (let poll = 0; poll < 7 * 48; poll++) {
        await timers.sleep(30 * 60_000);
        instants.push(clock.monotonic());
      }
      return instants;
    });
    expect(polls.at(-1)).toBe(7 * DAY_MS);
    expect(polls.every((instant, index) => instant === (index + 1) * 30 * 60_000)).toBe(true);
  });

  test("timers go off in the order of their instants, and of their setting within one", async () => {
    const order = await run(async ({ timers }) => {
      const gone: string[] = [];
      timers.after(5, () => gone.push("b"));
      timers.after(1, () => gone.push("a"));
      timers.after(5, () => gone.push("c"));
      timers.after(3, () => gone.push("never")).cancel();
      await timers.sleep(6);
      return gone;
    });
    expect(order).toEqual(["a", "b", "c"]);
  });

  test("a sleep ends with the signal's reason", async () => {
    const reason = await run(async ({ timers }) => {
      const stop = new AbortController();
      timers.after(10, () => stop.abort(new Error("enough")));
      return await timers.sleep(DAY_MS, stop.signal).catch((error: Error) => error.message);
    });
    expect(reason).toBe("enough");
  });

  test("a program that waits for what nobody will do is told from one that waits for time", async () => {
    const { time, machine: device } = machine();
    const boot = device.boot(() => new Promise(() => undefined));
    await expect(time.until(boot)).rejects.toBeInstanceOf(NothingWillHappen);
  });

  test("time waits for real work that is held, and not for ever", async () => {
    const time = new VirtualTime();
    const held = time.hold(new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))));
    let atMs = -1;
    void held.then(() => {
      atMs = time.nowMs;
    });
    await time.pass(100);
    expect(atMs).toBe(0);
    void time.hold(new Promise(() => undefined));
    await time.pass(100);
    expect(time.nowMs).toBe(200);
  });
});

describe("determinism", () => {
  /** A bit of everything, with power cuts where the seed puts them. */
  async function life(seed: string): Promise<{ hash: string; lines: readonly string[] }> {
    const chance = new SeededRandom(seed);
    const trace = new Trace();
    const time = new VirtualTime();
    let left = chance.integer(60) + 1;
    let device: SimulatedMachine | undefined;
    device = new SimulatedMachine({
      time,
      trace,
      chance: chance.fork("device"),
      disk: Disk.blank(),
      peer: () => ({ status: 200, body: "answer" }),
      weather: () => ({ answerDelayMs: chance.integer(50) }),
      programs: { "/bin/work": ({ system, args }) => system.timers.sleep(Number(args[0])).then(() => 0) },
      observer: {
        latencyMs: () => chance.integer(3),
        after: () => {
          if (--left === 0) device?.cutPower(survivalByChance(() => chance.fraction()));
        },
      },
    });
    const program: MainProgram = async (system) => {
      for (let round = 0; round < 3; round++) {
        await replaceFile(system.files, "/state", `${round} ${system.random.uuid()}`);
        await system.network.request({ method: "GET", url: "http://server/", idleTimeoutMs: 1000 });
        const work = await system.processes.start({ command: "work", args: [`${system.random.fraction() * 10}`] });
        await Promise.all([work.exit, readTextFile(system.files, "/state", 100)]);
      }
    };
    while ((await time.until(device.boot(program))).kind !== "returned") left = chance.integer(200) + 1;
    return { hash: trace.hash(), lines: trace.lines };
  }

  test("the same seed gives the same run, event by event; another seed another one", async () => {
    const first = await life("seed 1");
    const again = await life("seed 1");
    expect(again.lines).toEqual(first.lines);
    expect(again.hash).toBe(first.hash);
    expect((await life("seed 2")).hash).not.toBe(first.hash);
    expect(first.lines.some((line) => line.endsWith("power-cut"))).toBe(true);
  });

  test("a series is decided by its seed, and its forks do not depend on what was drawn before", () => {
    const one = new SeededRandom("x");
    const other = new SeededRandom("x");
    one.bytes(7);
    expect(one.fork("a").uuid()).toBe(other.fork("a").uuid());
    expect(other.fork("a").uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const draws = Array.from({ length: 2000 }, () => other.fraction());
    expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true);
    expect(draws.reduce((sum, draw) => sum + draw) / draws.length).toBeCloseTo(0.5, 1);
  });
});

describe("power", () => {
  test("power can be cut before and after every call, and nothing runs on", async () => {
    const program: MainProgram = async (system) => {
      await replaceFile(system.files, "/a", "one");
      await replaceFile(system.files, "/a", "two");
    };
    const whole = machine();
    await whole.time.until(whole.machine.boot(program));
    const { calls } = whole.machine;
    expect(calls).toBe(12);
    const seen = new Set<string | undefined>();
    for (let number = 1; number <= calls; number++)
      for (const moment of ["before", "after"] as const) {
        const { time, machine: device } = machine({
          observer: { [moment]: (call: { number: number }) => call.number === number && device.cutPower() },
        });
        expect(await time.until(device.boot(program))).toEqual({ kind: "power-cut" });
        expect(device.calls).toBe(number);
        const text = await time.until(
          new Promise<string | undefined>((resolve) => {
            const later = new SimulatedMachine({ time, chance: new SeededRandom(0), disk: device.disk });
            void later.boot(async ({ files }) => resolve(await readTextFile(files, "/a", 100)));
          }),
        );
        seen.add(text);
      }
    expect([...seen]).toEqual([undefined, "one", "two"]);
  });

  test("a reboot ends the program after SIGTERM, keeps what was written, and boots again", async () => {
    const { time, machine: device } = machine();
    const heard: string[] = [];
    const first = await time.until(
      device.boot(async (system) => {
        system.processes.onSignal("SIGTERM", () => heard.push(`SIGTERM at ${system.clock.monotonic()}`));
        const handle = await system.files.open("/a", "write");
        await handle.write(new TextEncoder().encode("x"));
        await system.power.reboot();
        heard.push("accepted");
        await system.timers.sleep(DAY_MS);
        heard.push("never");
      }),
    );
    expect(first).toEqual({ kind: "rebooted" });
    expect(heard).toEqual(["accepted", "SIGTERM at 100"]);
    expect(time.nowMs).toBe(5100);
    let text: string | undefined;
    await time.until(
      device.boot(async ({ files }) => {
        text = await readTextFile(files, "/a", 10);
      }),
    );
    expect(text).toBe("x");
    expect(device.boots).toBe(2);
  });

  test("a reboot may be refused, and may never come", async () => {
    const busy = new SystemError("EBUSY", "not now");
    const refused = await run(({ power }) => power.reboot().catch((error: Error) => error.message), {
      power: { refuses: () => busy },
    });
    expect(refused).toBe("not now");
    const waited = await run(
      async ({ power, timers, clock }) => {
        await power.reboot();
        await timers.sleep(DAY_MS);
        return clock.monotonic();
      },
      { power: { ignores: true } },
    );
    expect(waited).toBe(DAY_MS);
  });

  test("a program that throws, and one that is killed, are told apart from a power cut", async () => {
    const { time, machine: device } = machine();
    const thrown = await time.until(device.boot(() => Promise.reject(new Error("bug"))));
    expect(thrown).toMatchObject({ kind: "threw", error: { message: "bug" } });
    time.after(10, () => device.killProgram());
    const killed = await time.until(device.boot(({ timers }) => timers.sleep(DAY_MS)));
    expect(killed).toEqual({ kind: "killed", signal: "SIGKILL" });
  });
});

describe("the boot loader", () => {
  const slots = { 2: "/dev/slot-2", 3: "/dev/slot-3" };

  function abMachine(second: Uint8Array) {
    const bootLoader = new BootLoader({ slots });
    const disk = Disk.blank();
    bootLoader.install(disk, { 2: rootImage({ software: "old" }), 3: second });
    const { time, machine: device } = machine({ disk, bootLoader, programs: BOOT_LOADER_TOOLS });
    const boots = async (program: MainProgram = async () => undefined) => {
      let software: string | undefined;
      const end = await time.until(
        device.boot((system, boot) => {
          software = boot.slot?.software;
          return program(system, boot);
        }),
      );
      device.powerOff();
      return end.kind === "brick" ? "brick" : software;
    };
    return { boots };
  }

  const set =
    (...lines: string[]): MainProgram =>
    async ({ processes, files }) => {
      await replaceFile(files, "/batch", lines.join("\n"));
      const tool = await processes.start({ command: "fw_setenv", args: ["-s", "/batch"] });
      expect(await tool.exit).toEqual({ code: 0 });
    };

  test("goes to the slot that it was told, and back to the other one if nobody commits", async () => {
    const { boots } = abMachine(rootImage({ software: "new" }));
    expect(await boots(set("mender_boot_part 3", "upgrade_available 1", "bootcount 0"))).toBe("old");
    expect(await boots()).toBe("new");
    expect(await boots()).toBe("old");
    expect(await boots()).toBe("old");
  });

  test("stays in the new slot once the upgrade is committed", async () => {
    const { boots } = abMachine(rootImage({ software: "new" }));
    await boots(set("mender_boot_part 3", "upgrade_available 1", "bootcount 0"));
    expect(await boots(set("upgrade_available 0"))).toBe("new");
    expect(await boots()).toBe("new");
  });

  test("a slot that is not whole, or crashes, is given up for the other one", async () => {
    const image = rootImage({ software: "new", sizeBytes: 900 });
    const half = image.slice(0, 500);
    for (const second of [half, rootImage({ software: "new", boots: false })]) {
      const { boots } = abMachine(second);
      await boots(set("mender_boot_part 3", "upgrade_available 1", "bootcount 0"));
      expect(await boots()).toBe("old");
    }
  });

  test("a device without a slot that starts is a brick, and says so", async () => {
    const { boots } = abMachine(rootImage({ software: "new", boots: false }));
    await boots(set("mender_boot_part 3"));
    expect(await boots()).toBe("brick");
  });

  test("fw_printenv tells what fw_setenv set", async () => {
    const { boots } = abMachine(rootImage({ software: "new" }));
    let said = "";
    await boots(async ({ processes }) => {
      const write = await processes.start({ command: "/usr/bin/fw_setenv", args: ["canary", "1"] });
      await write.exit;
      const read = await processes.start({
        command: "/usr/bin/fw_printenv",
        args: ["canary", "mender_boot_part"],
        onStdout: (data) => {
          said += new TextDecoder().decode(data);
        },
      });
      expect(await read.exit).toEqual({ code: 0 });
      const missing = await processes.start({ command: "fw_printenv", args: ["nothing"] });
      expect(await missing.exit).toEqual({ code: 1 });
    });
    expect(said).toBe("canary=1\nmender_boot_part=2\n");
  });
});

test("everything that is kept by the disk's rules is there for the next program", async () => {
  const { time, machine: device } = machine();
  const boot = device.boot(async ({ files, timers }) => {
    const handle = await files.open("/a", "write");
    await handle.write(new TextEncoder().encode("not synced"));
    await timers.sleep(DAY_MS);
  });
  time.after(10, () => device.cutPower(EVERYTHING_KEPT));
  expect(await time.until(boot)).toEqual({ kind: "power-cut" });
  expect(device.disk.find("/a")?.kind).toBe("file");
});
