import type { Logger } from "@upkeep/shared/logging";
import type { DeploymentInstructions, DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { DeploymentResult } from "../update/results.ts";
import type { MaintenanceWindows } from "./maintenance-windows.ts";
import type { Notifier } from "./notify.ts";
import { Schedule, type TaskSettings } from "./schedule.ts";
import { unfailing } from "./unfailing-log.ts";
import { Wait } from "./wait.ts";

/** The server as the daemon asks it. */
export interface DaemonServer {
  poll(provides: DeviceProvides, signal?: AbortSignal): Promise<DeploymentInstructions | undefined>;
  sendInventory(attributes: readonly InventoryAttribute[], signal?: AbortSignal): Promise<boolean>;
  readonly hasInventory: boolean;
}

/** The update engine as the daemon uses it. */
export interface DaemonEngine {
  /** Run a deployment to its end. */
  runDeployment(instructions: DeploymentInstructions, signal: AbortSignal): Promise<DeploymentResult>;
  /** Resume an update that a restart or an unreachable server interrupted; `undefined` if there is none. */
  resume(signal: AbortSignal): Promise<DeploymentResult | undefined>;
}

/** The sets of state scripts that belong to the daemon's own states: waiting, and asking the server. */
export type RoundScripts = "Idle_Enter" | "Idle_Leave" | "Sync_Enter" | "Sync_Leave" | "Sync_Error";

export interface DaemonParts {
  readonly system: Pick<System, "clock" | "timers" | "random" | "processes">;
  readonly server: DaemonServer;
  readonly engine: DaemonEngine;
  /** What the device has, asked before each poll. */
  readonly provides: () => Promise<DeviceProvides>;
  readonly inventory: (signal: AbortSignal) => Promise<InventoryAttribute[]>;
  readonly polls: TaskSettings;
  readonly inventories: TaskSettings;
  /** How long the first poll and inventory wait; they come at once if absent. */
  readonly firstDelayMs?: number;
  /** When it may poll and install; at any time if absent. */
  readonly windows?: MaintenanceWindows;
  readonly notifier: Notifier;
  /** Runs a set of the root file system's state scripts. */
  readonly scripts?: (set: RoundScripts, signal: AbortSignal) => Promise<void>;
  /** What is due, if this is a check: the daemon ends where it would wait, and leaves what fails to the next check. */
  readonly check?: DueTasks;
  /** Called when the daemon begins to wait. @param untilPollMs Milliseconds until the next poll is due. */
  readonly onWaiting?: (untilPollMs: number) => void;
  readonly log: Logger;
}

/** What a check is to ask. */
export interface DueTasks {
  readonly poll: boolean;
  readonly inventory: boolean;
}

/** Why a daemon has ended; `rested`: a check has nothing more to do. */
export type DaemonEnd = "stopped" | "reload" | "rested";

/** What became of the rounds of a check, the worst first. */
export const CHECK_OUTCOMES = ["failed", "unfinished", "update-failed", "done"] as const;
export type CheckOutcome = (typeof CHECK_OUTCOMES)[number];

/** A task this late means that the scheduler has stopped. */
const OVERDUE_MS = 300_000;
/** So does a round this long without a deployment: every part of it has a shorter limit. */
const ROUND_MS_MAX = 3600_000;
/** After this number of failures of the loop in a row, the daemon ends, and systemd starts it afresh. */
const LOOP_FAULTS_MAX = 12;
const LOOP_FAULT_PAUSE_MS = { first: 1000, longest: 60_000 } as const;

function stopReason(): AgentError {
  return new AgentError("stopped", "the daemon is being stopped");
}

/**
 * Asks for deployments and sends the inventory, again and again, until it is told to stop. Whatever fails in
 * a round, the next one is due.
 */
export class Daemon {
  readonly #parts: DaemonParts;
  #stopped = false;
  /**
   * Its signal aborts what is under way when the daemon is stopped. Made on first use and dropped before a rest: a signal
   * takes a kilobyte, and a fleet has a daemon that waits for each of its devices.
   */
  #stop: AbortController | undefined;
  readonly #poll: Schedule;
  readonly #inventory: Schedule;
  /** For the next task. */
  readonly #wait = new Wait();
  #reloads = false;
  /** The server's last answer was that it does not accept this device. */
  #refused = false;
  /** The Idle_Enter scripts have run, and the Idle_Leave scripts have not. */
  #idle = false;
  /** When the current round began; `undefined` outside a round and while a deployment runs. */
  #roundSince: number | undefined;
  readonly #firstAt: number;
  #outcome: CheckOutcome = "done";
  #polled = false;
  #retryAfterMs: number | undefined;

  constructor(parts: DaemonParts) {
    this.#parts = { ...parts, log: unfailing(parts.log) };
    const firstAt = parts.system.clock.monotonic() + (parts.firstDelayMs ?? 0);
    this.#firstAt = firstAt;
    // Polls without an interval follow the schedule, the first one too.
    const due = parts.check ?? { poll: Number.isFinite(parts.polls.intervalMs), inventory: true };
    const first = (isDue: boolean): number => (isDue ? firstAt : Number.POSITIVE_INFINITY);
    this.#poll = new Schedule(parts.polls, first(due.poll), () => this.#fraction());
    this.#inventory = new Schedule(parts.inventories, first(due.inventory), () => this.#fraction());
    // Between two checks a device is idle.
    this.#idle = parts.check !== undefined;
  }

  /** What became of all rounds so far. */
  get outcome(): CheckOutcome {
    return this.#outcome;
  }

  /** The server has answered a poll. */
  get polled(): boolean {
    return this.#polled;
  }

  /** The longest pause that the server asked for. */
  get retryAfterMs(): number | undefined {
    return this.#retryAfterMs;
  }

  /**
   * Runs until a signal: after SIGTERM, SIGINT or SIGQUIT the current round is broken off; after SIGHUP it goes on to its
   * end, also if it installs an update. A check ends as soon as nothing is due.
   * @returns `reload` after SIGHUP: the caller is to start it again with a new configuration.
   */
  async run(): Promise<DaemonEnd> {
    const { notifier, log, check } = this.#parts;
    const unsubscribes = this.#listen();
    try {
      if (check === undefined) {
        await this.#parts.windows?.start(() => this.#soon(this.#poll));
        await notifier.ready();
        notifier.watch(() => this.#healthy());
        log.info("the daemon has started");
      }
      await this.#loop();
      if (check !== undefined) return this.#stopped ? "stopped" : "rested";
      if (this.#reloads && !this.#stopped) return "reload";
      log.info("the daemon stops");
      await notifier.stopping();
      return "stopped";
    } finally {
      for (const unsubscribe of unsubscribes) unsubscribe();
      this.#parts.windows?.stop();
      notifier.forget();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stop?.abort(stopReason());
    this.#wait.end();
  }

  /** Ends it at its next rest. */
  reload(): void {
    if (this.#parts.check !== undefined) return;
    this.#reloads = true;
    this.#wait.end();
  }

  #listen(): (() => void)[] {
    const { processes } = this.#parts.system;
    return [
      processes.onSignal("SIGHUP", () => this.reload()),
      processes.onSignal("SIGUSR1", () => this.#soon(this.#poll)),
      processes.onSignal("SIGUSR2", () => this.#soon(this.#inventory)),
      ...(["SIGTERM", "SIGINT", "SIGQUIT"] as const).map((name) => processes.onSignal(name, () => this.stop())),
    ];
  }

  #soon(schedule: Schedule): void {
    schedule.request();
    this.#wait.end();
  }

  get #signal(): AbortSignal {
    if (this.#stop === undefined) {
      this.#stop = new AbortController();
      if (this.#stopped) this.#stop.abort(stopReason());
    }
    return this.#stop.signal;
  }

  /** When the next task is due. */
  get #nextAt(): number {
    return Math.min(this.#poll.dueAt, this.#inventory.dueAt);
  }

  #now(): number {
    return this.#parts.system.clock.monotonic();
  }

  /** A random fraction; the middle if the door has no randomness, so that no poll is missed. */
  #fraction(): number {
    try {
      return this.#parts.system.random.fraction();
    } catch (error) {
      this.#parts.log.warning(`no random number is available: ${String(error)}`);
      return 0.5;
    }
  }

  #healthy(): boolean {
    const now = this.#now();
    if (this.#wait.isUnderWay) return now - this.#nextAt < OVERDUE_MS;
    return this.#roundSince === undefined || now - this.#roundSince < ROUND_MS_MAX;
  }

  /**
   * After a step that throws, the next step follows after a pause. The loop ends only when the daemon is stopped or
   * reloaded, or after `LOOP_FAULTS_MAX` failures in a row.
   */
  async #loop(): Promise<void> {
    let resumed = false;
    for (let faults = 0; !this.#stopped && !(this.#reloads && resumed); ) {
      try {
        if (resumed) {
          if (!(await this.#step())) return;
        } else {
          resumed = true;
          await this.#round(this.#poll, "going on with the last update", async () => {
            await this.#resume();
          });
        }
        faults = 0;
      } catch (error) {
        if (this.#stopped) return;
        if (++faults > LOOP_FAULTS_MAX || this.#parts.check !== undefined) throw error;
        this.#parts.log.error(`the scheduler met a fault and goes on: ${String(error)}`, { error });
        await this.#recover(Math.min(LOOP_FAULT_PAUSE_MS.first * 2 ** (faults - 1), LOOP_FAULT_PAUSE_MS.longest));
      }
    }
  }

  /**
   * Not async: an async function holds memory while it waits, and a simulated fleet has a daemon that waits for each of its
   * devices.
   * @returns False if nothing is due any more, and this is a check.
   */
  #step(): Promise<boolean> {
    const now = this.#now();
    if (this.#inventory.dueAt <= now) return this.#task(this.#inventory, "the inventory", () => this.#sendInventory());
    if (this.#poll.dueAt <= now) return this.#task(this.#poll, "the poll", () => this.#pollOnce());
    return this.#rest();
  }

  async #task(schedule: Schedule, what: string, action: () => Promise<void>): Promise<true> {
    schedule.begin(this.#now());
    await this.#leaveIdle();
    await this.#round(schedule, what, action);
    return true;
  }

  /** Waits until the next task is due. @returns False in a check, which waits for its first round at most. */
  async #rest(): Promise<boolean> {
    const { notifier, check, system } = this.#parts;
    await this.#enterIdle();
    if (check !== undefined && this.#nextAt > this.#firstAt) return false;
    await notifier.status("waiting for the next poll");
    const pauseMs = this.#nextAt - this.#now();
    if (pauseMs <= 0 || this.#stopped || this.#reloads) return true;
    this.#parts.onWaiting?.(Math.max(0, this.#poll.dueAt - this.#now()));
    this.#stop = undefined;
    // Not awaited here: that would hold this function's memory too.
    return this.#wait.begin(system.timers, pauseMs);
  }

  async #enterIdle(): Promise<void> {
    if (this.#idle) return;
    this.#idle = true;
    await this.#tryScripts("Idle_Enter");
  }

  /** Runs Idle_Enter first if it has not run: the two sets always run in pairs. */
  async #leaveIdle(): Promise<void> {
    await this.#enterIdle();
    this.#idle = false;
    await this.#tryScripts("Idle_Leave");
  }

  /** Runs scripts whose failure is only logged. */
  async #tryScripts(set: RoundScripts): Promise<void> {
    try {
      await this.#parts.scripts?.(set, this.#signal);
    } catch (error) {
      if (!this.#stopped) this.#parts.log.warning(`state scripts ${set}: ${String(error)}`);
    }
  }

  /** Ask the server something, between the Sync scripts. */
  async #sync<T>(ask: () => Promise<T>): Promise<T> {
    const scripts = async (set: RoundScripts): Promise<void> => {
      // Scripts have their own limits, which may be longer than a round's.
      this.#roundSince = undefined;
      await this.#parts.scripts?.(set, this.#signal);
      this.#roundSince = this.#now();
    };
    try {
      await scripts("Sync_Enter");
      const answer = await ask();
      await scripts("Sync_Leave");
      return answer;
    } catch (error) {
      if (!this.#stopped) await this.#tryScripts("Sync_Error");
      throw error;
    }
  }

  /** Pauses after a fault of the loop. If even the timer fails, the loop goes on at once. */
  async #recover(pauseMs: number): Promise<void> {
    try {
      await this.#parts.system.timers.sleep(pauseMs, this.#signal);
    } catch (error) {
      if (!this.#stopped) this.#parts.log.error(`waiting failed: ${String(error)}`, { error });
    }
  }

  /** Runs one round, and logs what it throws. */
  async #round(schedule: Schedule, what: string, action: () => Promise<void>): Promise<void> {
    const { log } = this.#parts;
    this.#roundSince = this.#now();
    try {
      await action();
      schedule.succeeded();
      if (this.#refused) log.info("the server accepts this device now");
      this.#refused = false;
    } catch (error) {
      if (this.#stopped) return;
      this.#refused = error instanceof AgentError && error.code === "unauthorized";
      const retryAfterMs = error instanceof AgentError ? error.retryAfterMs : undefined;
      const dueAt = schedule.failed(this.#now(), retryAfterMs);
      this.#came(error instanceof AgentError && !error.retryable ? "failed" : "unfinished");
      this.#retryAfterMs = Math.max(this.#retryAfterMs ?? 0, retryAfterMs ?? 0) || undefined;
      const again =
        this.#parts.check === undefined
          ? `; trying again in ${Math.max(1, Math.round((dueAt - this.#now()) / 1000))} s`
          : "; the next check tries again";
      if (!(error instanceof AgentError)) log.error(`${what} failed unexpectedly: ${String(error)}${again}`, { error });
      else if (error.retryable) log.warning(`${what} failed: ${error.message}${again}`, { code: error.code });
      else log.error(`${what} failed: ${error.message}${again}`, { code: error.code });
    } finally {
      this.#roundSince = undefined;
    }
  }

  /** Keeps the worst outcome. */
  #came(outcome: CheckOutcome): void {
    if (CHECK_OUTCOMES.indexOf(outcome) < CHECK_OUTCOMES.indexOf(this.#outcome)) this.#outcome = outcome;
  }

  async #sendInventory(): Promise<void> {
    const { server, inventory, log } = this.#parts;
    const signal = this.#signal;
    const sent = await this.#sync(async () => server.sendInventory(await inventory(signal), signal));
    log.debug(sent ? "the inventory was sent" : "the inventory has not changed");
  }

  async #pollOnce(): Promise<void> {
    const { server, engine, provides, notifier, log } = this.#parts;
    if (!(await this.#resume())) return;
    const instructions = await this.#sync(async () => server.poll(await provides(), this.#signal));
    this.#polled = true;
    const { windows, check } = this.#parts;
    if (instructions === undefined) {
      log[check === undefined ? "debug" : "info"]("there is nothing to install");
      // A new session, in which no inventory was sent yet: the server may have lost the last one. (Each check has one.)
      if (check === undefined && !server.hasInventory && !this.#inventory.backingOff) this.#inventory.request();
      return;
    }
    if (windows !== undefined && !(await windows.mayInstall())) {
      log.info(`deployment ${instructions.id} is offered; it waits for the window in which updates may begin`);
      if (check === undefined) await windows.whenInstallOpens(() => this.#soon(this.#poll));
      return;
    }
    log.info(
      `deployment ${instructions.id}: ${instructions.artifact.artifact_name ?? "an artifact"} is to be installed`,
    );
    await notifier.status(`running deployment ${instructions.id}`);
    // An update has no limit as a whole: each of its steps has its own.
    this.#roundSince = undefined;
    this.#conclude(await engine.runDeployment(instructions, this.#signal));
  }

  /** @returns False if the daemon is being stopped. */
  async #resume(): Promise<boolean> {
    this.#roundSince = undefined;
    const result = await this.#parts.engine.resume(this.#signal);
    this.#roundSince = this.#now();
    if (result !== undefined) this.#conclude(result);
    return !this.#stopped;
  }

  #conclude(result: DeploymentResult): void {
    const { log } = this.#parts;
    if (result.kind === "interrupted") {
      if (this.#stopped) return;
      throw new AgentError("update-interrupted", `the update rests in the state ${result.state}`, { retryable: true });
    }
    const { deployment, status, failure, reported, unwritten } = result;
    if (status === "success") log.info(`deployment ${deployment} succeeded`);
    else {
      log.error(`deployment ${deployment} failed: ${failure ?? "for a reason that is not known any more"}`);
      this.#came("update-failed");
    }
    this.#inventory.request();
    if (unwritten !== undefined) {
      throw new AgentError(
        "outcome-unwritten",
        `that deployment ${deployment} ended cannot be written down: ${unwritten}; the server is told once it can`,
        { retryable: true },
      );
    }
    if (reported === "pending") {
      throw new AgentError("report-pending", `the server could not be told that deployment ${deployment} ended`, {
        retryable: true,
      });
    }
  }
}
