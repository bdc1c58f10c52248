import type { Logger } from "@upkeep/shared/logging";
import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import type { SignalName } from "@upkeep/shared/system";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Daemon, type DaemonEnd, type DaemonEngine, type DaemonServer } from "../../../agent/daemon/daemon.ts";
import { Notifier } from "../../../agent/daemon/notify.ts";
import { AgentError } from "../../../agent/errors.ts";
import type { DeploymentResult } from "../../../agent/update/index.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { VirtualTime } from "../support/virtual-time.ts";
import { KeptLog } from "../support-server/log.ts";

const INSTRUCTIONS: DeploymentInstructions = { id: "d1", artifact: { source: { uri: "http://host/a" } } };
const SUCCESS: DeploymentResult = {
  kind: "finished",
  deployment: "d1",
  status: "success",
  device: "new",
  artifactName: "r2",
  failure: undefined,
  reported: "accepted",
};

/** A daemon in virtual time: what it did, each with the second in which it did it. */
class World {
  readonly time = new VirtualTime();
  readonly log = new KeptLog();
  readonly events: string[] = [];
  readonly programs: string[] = [];
  readonly signals = new Map<SignalName, () => void>();
  readonly #start = this.time.now();
  /** How the daemon has ended. */
  ended: DaemonEnd | undefined;
  hasInventory = true;
  /** What the server answers to each poll; the daemon is stopped when there is no answer left. */
  polls: (() => DeploymentInstructions | undefined)[] = [];
  deployments: (() => DeploymentResult)[] = [];
  resumes: (() => DeploymentResult | undefined)[] = [];
  inventory: () => boolean = () => true;
  firstDelayMs = 0;
  /** Told of each set of state scripts before it runs; may throw. */
  scripts: ((set: string) => void) | undefined;
  /** The server takes a poll and never says anything. */
  hangs = false;
  /** Called before whatever the daemon asks of a part of its own, with that part's name. */
  before: (part: string) => void = () => undefined;

  note(event: string): void {
    this.events.push(`${(this.time.now() - this.#start) / 1000} ${event}`);
  }

  signal(name: SignalName): void {
    this.signals.get(name)?.();
  }

  async run(environment: Record<string, string> = {}): Promise<string[]> {
    const server: DaemonServer = {
      poll: async () => {
        this.before("server.poll");
        const answer = this.polls.shift();
        if (answer === undefined) {
          daemon.stop();
          throw new AgentError("stopped", "stopped");
        }
        this.note("poll");
        if (this.hangs) await new Promise(() => undefined);
        return answer();
      },
      sendInventory: async () => {
        this.before("server.sendInventory");
        this.note("inventory");
        const sent = this.inventory();
        this.hasInventory = true;
        return sent;
      },
      hasInventory: true,
    };
    Object.defineProperty(server, "hasInventory", { get: () => this.hasInventory });
    const engine: DaemonEngine = {
      runDeployment: async ({ id }) => {
        this.before("engine.runDeployment");
        this.note(`deploy ${id}`);
        return (this.deployments.shift() ?? (() => SUCCESS))();
      },
      resume: async () => {
        this.before("engine.resume");
        const resumed = this.resumes.shift()?.();
        if (resumed !== undefined) this.note("resumed");
        return resumed;
      },
    };
    const processes = {
      start: async ({ command, args }: { command: string; args: readonly string[] }) => {
        this.before("processes.start");
        this.programs.push([command, ...args].join(" "));
        return { pid: 1, exit: Promise.resolve({ code: 0 }), signal: () => undefined };
      },
      onSignal: (name: SignalName, action: () => void) => {
        this.signals.set(name, action);
        return () => void this.signals.delete(name);
      },
    };
    const guarded = <A extends unknown[], R>(part: string, call: (...args: A) => R) => {
      return (...args: A): R => {
        this.before(part);
        return call(...args);
      };
    };
    const { time } = this;
    const system = {
      clock: { now: () => time.now(), monotonic: guarded("clock.monotonic", () => time.monotonic()) },
      timers: {
        after: guarded("timers.after", time.after.bind(time)),
        sleep: guarded("timers.sleep", time.sleep.bind(time)),
      },
      processes,
      random: { bytes: () => new Uint8Array(), uuid: () => "", fraction: guarded("random.fraction", () => 0) },
    };
    const { log } = this;
    const levels = ["fatal", "error", "warning", "info", "debug", "trace"] as const;
    const logger: Logger = {
      with: () => logger,
      ...(Object.fromEntries(
        levels.map((level) => [level, guarded(`log.${level}`, (text: string) => log[level](text))]),
      ) as Record<(typeof levels)[number], (text: string) => void>),
    };
    const backoff = { longestMs: 300_000, count: 0 };
    const { scripts } = this;
    const daemon = new Daemon({
      ...(scripts === undefined ? {} : { scripts: async (set) => scripts(set) }),
      system,
      server,
      engine,
      provides: guarded("provides", async () => ({ device_type: "board", artifact_name: "r1" })),
      inventory: guarded("inventory", async () => []),
      polls: { intervalMs: 1_800_000, jitter: 0.1, backoff },
      inventories: { intervalMs: 28_800_000, jitter: 0.1, backoff },
      firstDelayMs: this.firstDelayMs,
      notifier: new Notifier(system, environment, logger),
      log: logger,
    });
    this.ended = await daemon.run();
    return this.events;
  }
}

let world: World;
const nothing = (): undefined => undefined;
const fail =
  (error: unknown): (() => never) =>
  () => {
    throw error;
  };

beforeEach(() => {
  world = new World();
});

describe("the daemon", () => {
  it("sends the inventory, polls, and goes on at its intervals", async () => {
    world.polls = [nothing, nothing, nothing];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "1800 poll", "3600 poll"]);
  });

  it("runs what the server has for it, and sends the inventory afterwards", async () => {
    world.polls = [() => INSTRUCTIONS, nothing];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "0 deploy d1", "0 inventory", "1800 poll"]);
    expect(world.log.lines).toContain("info deployment d1 succeeded");
  });

  it("tells why a deployment failed", async () => {
    world.polls = [() => INSTRUCTIONS];
    world.deployments = [() => ({ ...SUCCESS, status: "failure", failure: "the disk is full" })];
    await world.run();
    expect(world.log.lines).toContain("error deployment d1 failed: the disk is full");
  });

  it("sends the inventory when a poll shows that the session is a new one", async () => {
    world.polls = [
      () => {
        world.hasInventory = false;
        return undefined;
      },
      nothing,
    ];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "0 inventory", "1800 poll"]);
  });

  it("runs state scripts when it begins and ends to wait, and around each question to the server", async () => {
    world.scripts = (set) => world.note(set);
    world.polls = [() => INSTRUCTIONS, nothing];
    const round = (second: string, ...events: string[]) =>
      ["Idle_Enter", "Idle_Leave", "Sync_Enter", ...events].map((event) => `${second} ${event}`);
    expect(await world.run()).toEqual([
      ...round("0", "inventory", "Sync_Leave"),
      ...round("0", "poll", "Sync_Leave", "deploy d1"),
      ...round("0", "inventory", "Sync_Leave"),
      ...["0 Idle_Enter", "1800 Idle_Leave", "1800 Sync_Enter", "1800 poll", "1800 Sync_Leave", "1800 Idle_Enter"],
      ...["3600 Idle_Leave", "3600 Sync_Enter"],
    ]);
  });

  it.each([
    ["Idle_Leave", ["0 poll", "0 deploy d1"]],
    ["Sync_Enter", ["0 Sync_Error", "60 poll", "60 deploy d1"]],
    // The deployment was found, and nothing of it is reported: it is offered again.
    ["Sync_Leave", ["0 poll", "0 Sync_Error", "60 poll", "60 deploy d1"]],
  ])("goes on polling when a script of %s fails", async (failing, events) => {
    let failed = false;
    world.scripts = (set) => {
      if (set === "Sync_Error") world.note(set);
      // Not the round of the inventory, which is the first.
      const round = failing === "Sync_Leave" ? "0 poll" : "0 inventory";
      if (set !== failing || failed || !world.events.includes(round)) return;
      failed = true;
      throw new AgentError("script-failed", "no");
    };
    world.polls = [() => INSTRUCTIONS, () => INSTRUCTIONS, nothing];
    const seen = await world.run();
    expect(seen.filter((event) => !event.endsWith("inventory")).slice(0, events.length)).toEqual(events);
  });

  it("ends at its next rest when it is to read its configuration again: never within a deployment", async () => {
    world.polls = [() => INSTRUCTIONS, nothing];
    world.deployments = [
      () => {
        world.signal("SIGHUP");
        return SUCCESS;
      },
    ];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "0 deploy d1"]);
    expect(world.ended).toBe("reload");
    expect(world.signals.size).toBe(0);
  });

  it("says when the server accepts the device after a refusal, once", async () => {
    world.polls = [fail(new AgentError("unauthorized", "not accepted", { retryable: true })), nothing, nothing];
    await world.run();
    expect(world.log.lines.filter((line) => line === "info the server accepts this device now")).toHaveLength(1);
  });

  it("first goes on with what was interrupted", async () => {
    world.resumes = [() => SUCCESS];
    world.polls = [nothing];
    expect(await world.run()).toEqual(["0 resumed", "0 inventory", "0 poll"]);
  });

  it("asks for nothing new before the server knows how the last deployment ended", async () => {
    const pending = (): DeploymentResult => ({ ...SUCCESS, reported: "pending" });
    world.polls = [() => INSTRUCTIONS, nothing];
    world.deployments = [pending];
    world.resumes = [nothing, nothing, pending, () => SUCCESS];
    expect((await world.run()).filter((event) => !event.endsWith("inventory"))).toEqual([
      "0 poll",
      "0 deploy d1",
      "60 resumed",
      "120 resumed",
      "120 poll",
    ]);
  });

  it.each([
    ["an error of the agent", new AgentError("server-failed", "the server answered 500", { retryable: true })],
    ["an error that is not to be retried", new AgentError("device-type-unknown", "no device_type")],
    ["an exception", new TypeError("x is not a function")],
    ["something that is no error", "text"],
  ])("does not die of %s, and tries again", async (_name, error) => {
    world.polls = [fail(error), fail(error), nothing];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "60 poll", "120 poll"]);
    expect(world.log.lines.filter((line) => line.includes("trying again in 60 s"))).toHaveLength(2);
  });

  it("keeps on polling when every inventory fails", async () => {
    world.inventory = fail(new Error("no"));
    world.polls = [nothing, nothing];
    expect((await world.run()).filter((event) => event.endsWith("poll"))).toEqual(["0 poll", "1800 poll"]);
  });

  it("waits as long as the server asks for", async () => {
    world.polls = [fail(new AgentError("server-busy", "429", { retryable: true, retryAfterMs: 7_200_000 })), nothing];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "7200 poll"]);
  });

  it("does not send the inventory sooner than the server asks for, though polls go on", async () => {
    world.inventory = fail(new AgentError("server-busy", "429", { retryable: true, retryAfterMs: 3_000_000 }));
    world.hasInventory = false;
    world.polls = [nothing, nothing];
    const events = world.run();
    expect(await events).toEqual(["0 inventory", "0 poll", "1800 poll", "3000 inventory"]);
  });

  it("polls on SIGUSR1 and sends the inventory on SIGUSR2, also in the middle of a round", async () => {
    world.polls = [
      () => {
        world.time.after(100_000, () => world.signal("SIGUSR2"));
        world.time.after(200_000, () => world.signal("SIGUSR1"));
        return undefined;
      },
      () => {
        world.signal("SIGUSR1");
        return undefined;
      },
      nothing,
    ];
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "100 inventory", "200 poll", "200 poll"]);
  });

  it.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)("stops on %s", async (name) => {
    world.time.after(4_000_000, () => world.signal(name));
    world.polls = Array.from({ length: 100 }, () => nothing);
    expect(await world.run()).toEqual(["0 inventory", "0 poll", "1800 poll", "3600 poll"]);
    expect(world.signals.size).toBe(0);
    expect(world.programs).toEqual([]);
  });

  it("tells systemd that it is ready, that it lives, and that it stops", async () => {
    world.polls = [nothing, nothing];
    await world.run({ NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "1800000000" });
    expect(world.programs).toEqual([
      "systemd-notify READY=1",
      "systemd-notify STATUS=waiting for the next poll",
      "systemd-notify WATCHDOG=1",
      "systemd-notify WATCHDOG=1",
      "systemd-notify WATCHDOG=1",
      "systemd-notify STOPPING=1",
    ]);
  });

  it("waits with its first poll as long as it is told to, unless it is asked for one", async () => {
    world.firstDelayMs = 45_000;
    world.resumes = [() => SUCCESS];
    world.polls = [nothing, nothing];
    expect(await world.run()).toEqual(["0 resumed", "0 inventory", "45 poll", "1845 poll"]);
    const asked = new World();
    asked.firstDelayMs = 45_000;
    asked.time.after(7000, () => asked.signal("SIGUSR1"));
    asked.polls = [nothing];
    expect(await asked.run()).toEqual(["7 poll", "45 inventory"]);
  });

  const PARTS = [
    "server.poll",
    "server.sendInventory",
    "engine.resume",
    "engine.runDeployment",
    "processes.start",
    "clock.monotonic",
    "timers.after",
    "timers.sleep",
    "random.fraction",
    "provides",
    "inventory",
    "log.error",
    "log.warning",
    "log.info",
    "log.debug",
  ];
  const UNIT = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "1800000000" };

  it.each(PARTS)("polls again, whichever call of %s throws", async (part) => {
    const calls = async (fault: number): Promise<number> => {
      world = new World();
      world.polls = [() => INSTRUCTIONS, nothing, fail(new AgentError("x", "y", { retryable: true })), nothing];
      let made = 0;
      let broken = false;
      world.before = (called) => {
        // Before it is ready it has not become a daemon yet: then systemd starts it again.
        if (called !== part || !world.signals.has("SIGTERM") || world.events.length === 0) return;
        broken = ++made === fault;
        if (broken) throw new TypeError(`${part} is broken`);
      };
      const events = await world.run(UNIT);
      // Stopped by the world, for there was no answer left: every poll was made.
      expect(events.filter((event) => event.endsWith("poll")).length).toBe(4);
      return made;
    };
    const all = Math.min(await calls(0), 12);
    for (let fault = 1; fault <= all; fault++) await calls(fault);
  });

  it("ends for systemd to start it afresh when it cannot even wait any more", async () => {
    world.polls = [nothing, nothing];
    world.before = (called) => {
      if (called.startsWith("timers.")) throw new TypeError("no timers");
    };
    await expect(world.run()).rejects.toThrow("no timers");
  });

  it("leaves it to systemd's watchdog when a poll never ends", async () => {
    world.polls = [() => INSTRUCTIONS];
    world.hangs = true;
    void world.run(UNIT);
    await vi.waitUntil(
      () => world.log.lines.includes("warning the scheduler is overdue: leaving it to systemd's watchdog"),
      { timeout: WAIT_MS },
    );
    world.time.clear();
  });
});
