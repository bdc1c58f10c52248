import type { Logger } from "@upkeep/shared/logging";
import type { DeploymentInstructions, DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { DeploymentResult } from "../update/results.ts";
import type { Notifier } from "./notify.ts";
import { Schedule, type TaskSettings } from "./schedule.ts";

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
  /** Go on with what a restart, or a server that could not be told, left undone; `undefined` if nothing is. */
  resume(signal: AbortSignal): Promise<DeploymentResult | undefined>;
}

export interface DaemonParts {
  readonly system: Pick<System, "clock" | "timers" | "random" | "processes">;
  readonly server: DaemonServer;
  readonly engine: DaemonEngine;
  /** What the device has, asked before each poll. */
  readonly provides: () => Promise<DeviceProvides>;
  readonly inventory: () => Promise<InventoryAttribute[]>;
  readonly polls: TaskSettings;
  readonly inventories: TaskSettings;
  readonly notifier: Notifier;
  readonly log: Logger;
}

/** A task that is so late stands for a scheduler that has stopped. */
const OVERDUE_MS = 300_000;

/**
 * Asks for deployments and sends the inventory, again and again, until it is told to stop. Whatever fails in
 * a round, the next one is due.
 */
export class Daemon {
  readonly #parts: DaemonParts;
  readonly #stop = new AbortController();
  readonly #poll: Schedule;
  readonly #inventory: Schedule;
  /** Aborted to end the wait for what is due next. */
  #wake = new AbortController();
  #waiting = false;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    const { clock, random } = parts.system;
    const now = clock.monotonic();
    this.#poll = new Schedule(parts.polls, now, () => random.fraction());
    this.#inventory = new Schedule(parts.inventories, now, () => random.fraction());
  }

  /** Resolves after SIGTERM, SIGINT or SIGQUIT, when what was under way has come to rest. */
  async run(): Promise<void> {
    const { notifier, log } = this.#parts;
    const deaf = this.#listen();
    try {
      await notifier.ready();
      notifier.watch(() => this.#healthy());
      log.info("the daemon has started");
      await this.#loop();
      log.info("the daemon stops");
      await notifier.stopping();
    } finally {
      for (const stop of deaf) stop();
    }
  }

  stop(): void {
    this.#stop.abort(new AgentError("stopped", "the daemon is being stopped"));
    this.#wake.abort();
  }

  #listen(): (() => void)[] {
    const { processes } = this.#parts.system;
    const soon = (schedule: Schedule) => () => {
      schedule.request();
      this.#wake.abort();
    };
    return [
      processes.onSignal("SIGUSR1", soon(this.#poll)),
      processes.onSignal("SIGUSR2", soon(this.#inventory)),
      ...(["SIGTERM", "SIGINT", "SIGQUIT"] as const).map((name) => processes.onSignal(name, () => this.stop())),
    ];
  }

  #now(): number {
    return this.#parts.system.clock.monotonic();
  }

  #healthy(): boolean {
    return !this.#waiting || this.#now() - Math.min(this.#poll.dueAt, this.#inventory.dueAt) < OVERDUE_MS;
  }

  async #loop(): Promise<void> {
    await this.#round(this.#poll, "going on with the last update", async () => {
      await this.#resume();
    });
    while (!this.#stop.signal.aborted) {
      if (this.#inventory.dueAt <= this.#now()) {
        this.#inventory.begin(this.#now());
        await this.#round(this.#inventory, "the inventory", () => this.#sendInventory());
      } else if (this.#poll.dueAt <= this.#now()) {
        this.#poll.begin(this.#now());
        await this.#round(this.#poll, "the poll", () => this.#pollOnce());
      } else {
        await this.#wait();
      }
    }
  }

  /** Runs one round; nothing that it throws gets further than here. */
  async #round(schedule: Schedule, what: string, action: () => Promise<void>): Promise<void> {
    const { log } = this.#parts;
    try {
      await action();
      schedule.succeeded();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const retryAfterMs = error instanceof AgentError ? error.retryAfterMs : undefined;
      const dueAt = schedule.failed(this.#now(), retryAfterMs);
      const again = `; trying again in ${Math.max(1, Math.round((dueAt - this.#now()) / 1000))} s`;
      if (!(error instanceof AgentError)) log.error(`${what} failed unexpectedly: ${String(error)}${again}`, { error });
      else if (error.retryable) log.warning(`${what} failed: ${error.message}${again}`, { code: error.code });
      else log.error(`${what} failed: ${error.message}${again}`, { code: error.code });
    }
  }

  async #wait(): Promise<void> {
    const { notifier, system } = this.#parts;
    await notifier.status("waiting for the next poll");
    this.#wake = new AbortController();
    const pauseMs = Math.min(this.#poll.dueAt, this.#inventory.dueAt) - this.#now();
    if (pauseMs <= 0 || this.#stop.signal.aborted) return;
    this.#waiting = true;
    await system.timers.sleep(pauseMs, this.#wake.signal).catch((error: unknown) => {
      if (!this.#wake.signal.aborted) throw error;
    });
    this.#waiting = false;
  }

  async #sendInventory(): Promise<void> {
    const { server, inventory, log } = this.#parts;
    const sent = await server.sendInventory(await inventory(), this.#stop.signal);
    log.debug(sent ? "the inventory was sent" : "the inventory has not changed");
  }

  async #pollOnce(): Promise<void> {
    const { server, engine, provides, notifier, log } = this.#parts;
    if (!(await this.#resume())) return;
    const instructions = await server.poll(await provides(), this.#stop.signal);
    if (instructions === undefined) {
      log.debug("there is nothing to install");
      // The server may have lost it: it is a new session, and nothing was sent in it yet.
      if (!server.hasInventory && !this.#inventory.backingOff) this.#inventory.request();
      return;
    }
    log.info(
      `deployment ${instructions.id}: ${instructions.artifact.artifact_name ?? "an artifact"} is to be installed`,
    );
    await notifier.status(`running deployment ${instructions.id}`);
    this.#conclude(await engine.runDeployment(instructions, this.#stop.signal));
  }

  /** @returns False if the daemon is being stopped. */
  async #resume(): Promise<boolean> {
    const result = await this.#parts.engine.resume(this.#stop.signal);
    if (result !== undefined) this.#conclude(result);
    return !this.#stop.signal.aborted;
  }

  #conclude(result: DeploymentResult): void {
    const { log } = this.#parts;
    if (result.kind === "interrupted") {
      if (this.#stop.signal.aborted) return;
      throw new AgentError("update-interrupted", `the update rests in the state ${result.state}`, { retryable: true });
    }
    const { deployment, status, failure, reported } = result;
    if (status === "success") log.info(`deployment ${deployment} succeeded`);
    else log.error(`deployment ${deployment} failed: ${failure ?? "for a reason that is not known any more"}`);
    this.#inventory.request();
    if (reported === "pending") {
      throw new AgentError("report-pending", `the server could not be told that deployment ${deployment} ended`, {
        retryable: true,
      });
    }
  }
}
