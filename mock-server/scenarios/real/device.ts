import { given } from "@upkeep/shared/given";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { StateName } from "upkeep/index.ts";
import { effectOf, type FaultPlan, type Moment } from "../../faults/index.ts";
import { AGENT_STATES } from "../../faults/language/names.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import { type Child, startChild } from "../../system/children.ts";
import type { Happening } from "../run/events.ts";
import { isInterruptionAt } from "../world/power.ts";
import { DeviceFiles, type DeviceFilesParts } from "./device-files.ts";
import type { PlayedDevice } from "./played.ts";
import { DEVICE_VARIABLE } from "./programs.ts";

const STATE_LINE = /\bstate (\w+): /;
/** So many failures in a row make no difference any more. */
const FAILURES_ENOUGH = 2;
/** A loaded machine takes its time to start an agent. */
const START_MS_MAX = 60_000;
/** An agent that ends again and again has given up. */
const RESTARTS_MAX = 200;

export interface RealDeviceParts extends DeviceFilesParts {
  /** The agent's file, and the program that runs it. */
  readonly agent: readonly [command: string, ...args: string[]];
  readonly plan: FaultPlan;
  readonly nowMs: () => number;
  after(delayMs: number, action: () => void): void;
  happened(event: Happening): void;
}

/** One device of a scenario: a directory, and the true agent as a process. */
export class RealDevice implements PlayedDevice {
  readonly name: string;
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  /** What failed since the scenario's time last moved. */
  failures = 0;
  /** When it last asked for a deployment, by the scenario's clock. */
  #polledMs = Number.NEGATIVE_INFINITY;
  /** It waits for the scenario's time to go on. */
  #waiting = 0;
  /** When something last happened, in milliseconds of the machine's monotonic clock. */
  #lastMs: number;
  /** The agent has said something since it was started. */
  #awake = false;
  readonly #parts: RealDeviceParts;
  readonly #files: DeviceFiles;
  #inventory: PlayedDevice["inventory"];
  #child: Child | undefined;
  #state: StateName | undefined;
  #off = true;
  /** It has power, and an agent that runs or is about to. */
  #up = false;
  #restarts = 0;
  #runs: string | undefined;
  #software = "nothing";
  #provides: Readonly<Record<string, string>> = {};
  #closed = false;
  /** Looking at the device's files, one after the other. */
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: RealDeviceParts) {
    this.#parts = parts;
    this.#files = new DeviceFiles(parts);
    this.name = parts.identity.name;
    this.#inventory = parts.identity.row.inventory;
    this.#lastMs = parts.system.clock.monotonic();
  }

  get state(): StateName | undefined {
    return this.#state;
  }

  /** Nothing is going on that the scenario's time could not go on over. */
  isSettled(quietMs: number): boolean {
    if (!this.#up || this.#waiting > 0 || this.failures >= FAILURES_ENOUGH) return true;
    const { nowMs, identity, system } = this.#parts;
    if (this.#state === undefined && nowMs() - this.#polledMs < identity.row.poll) return true;
    return system.clock.monotonic() - this.#lastMs > (this.#awake ? quietMs : START_MS_MAX);
  }

  heard(): void {
    this.#lastMs = this.#parts.system.clock.monotonic();
  }

  /** @param status Of the answer: 200 gives it something to do. */
  polled(status: number): void {
    this.#polledMs = status === 204 ? this.#parts.nowMs() : Number.NEGATIVE_INFINITY;
  }

  /** It has asked for a deployment, and there was none. */
  get isAtRest(): boolean {
    return !this.#up || (this.#state === undefined && this.#polledMs >= 0);
  }

  /** Half of what installing takes passes, by the scenario's clock. */
  async works(): Promise<void> {
    this.#waiting++;
    try {
      await new Promise<void>((resolve) => this.#parts.after(this.#parts.identity.row.module.takes / 2, resolve));
    } finally {
      this.#waiting--;
      this.#lastMs = this.#parts.system.clock.monotonic();
    }
  }

  get software(): string {
    return this.#software;
  }

  get provides(): Readonly<Record<string, string>> {
    return this.#provides;
  }

  get inventory(): PlayedDevice["inventory"] {
    return this.#inventory;
  }

  set inventory(attributes: PlayedDevice["inventory"]) {
    this.#inventory = attributes;
    this.#looking = this.#looking.then(() => this.#files.writeInventory(attributes));
  }

  get machine(): PlayedDevice["machine"] {
    return {
      wallMs: this.#parts.nowMs(),
      signalProgram: (name) => this.#child?.signal(name),
      // Such scenarios are refused before they begin.
      setWallClock: () => undefined,
    };
  }

  /** Make it as it leaves the factory. */
  async make(): Promise<void> {
    await this.#files.make(this.#inventory);
    await this.look();
  }

  /** It gets power. */
  switchOn(): void {
    this.#off = false;
    this.#boot();
  }

  #boot(): void {
    if (this.#up || this.#off || this.#closed) return;
    this.#happened({ kind: "boot", device: this.name, software: this.#software });
    this.#run();
  }

  #run(): void {
    this.#up = true;
    this.#awake = false;
    this.#polledMs = Number.NEGATIVE_INFINITY;
    const { agent, root, system } = this.#parts;
    const [command, ...before] = agent;
    const line = (text: string): void => this.#line(text);
    startChild({
      command,
      args: [...before, "--root", root, "--log-format", "journal", "--log-level", "debug", "daemon"],
      environment: {
        [DEVICE_VARIABLE]: this.name,
        PATH: `${root}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      },
      onOutput: line,
      onError: line,
    }).then(
      (child) => {
        // Power may have gone while it was being started.
        if (!this.#up || this.#closed) child.killAll();
        else this.#child = child;
        void child.ended.then((how) => this.#ended(child, how));
      },
      (error: unknown) => this.#happened({ kind: "down", device: this.name, why: String(error) }),
    );
    this.#lastMs = system.clock.monotonic();
  }

  /** By itself, or killed as one process: the service manager starts it again. */
  #ended(child: Child, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#state = undefined;
    if (this.#closed) return;
    this.#happened({ kind: "down", device: this.name, why: `the agent ended: ${how}` });
    if (++this.#restarts < RESTARTS_MAX && !this.#off) this.#run();
    else this.#up = false;
  }

  #line(text: string): void {
    this.#awake = true;
    const [, level, message = text] = /^<(\d)>(.*)$/.exec(text) ?? [];
    this.#lastMs = this.#parts.system.clock.monotonic();
    const state = STATE_LINE.exec(message)?.[1];
    const known = AGENT_STATES.find((name) => name === state);
    if (known !== undefined) this.#enter(known);
    if (level !== "7") this.#happened({ kind: "line", device: this.name, line: message });
  }

  #enter(state: StateName): void {
    const before = this.#state;
    if (before === state) return;
    if (before !== undefined) this.#reached("after", before);
    if (this.#child === undefined) return;
    this.#state = state;
    this.#happened({ kind: "state", device: this.name, state });
    this.#reached("before", state);
    // What no program of ours works in is half over as soon as it has begun.
    if (!state.startsWith("Artifact") && state !== "Download") this.#reached("during", state);
  }

  /** An update module has done half of a call, or half of a download has arrived. */
  midway(state: string): void {
    if (state === this.#state) this.#reached("during", this.#state);
  }

  #reached(when: "before" | "during" | "after", state: StateName): void {
    const [strike] = this.#parts.plan.strikes("power", this.moment(), (one) =>
      isInterruptionAt(effectOf<"power">(one), { when, state }),
    );
    if (strike === undefined) return;
    const effect = effectOf<"power">(strike);
    if (effect.kind !== "interruption") return;
    this.#happened({ kind: "fault", device: this.name, fault: `${strike.fault} ${when} ${state}` });
    if (effect.does === "kill") this.killAgent();
    else this.cutPower(undefined, effect.offMs);
  }

  moment(request?: RequestKind): Moment {
    return {
      device: this.name,
      atMs: this.#parts.nowMs(),
      state: this.#state,
      status: this.status,
      ...given({ request }),
    };
  }

  cutPower(_leaves: unknown, forMs: number): void {
    if (!this.#up) return;
    this.#stop("power cut");
    this.#parts.after(forMs, () => this.#boot());
  }

  /** The machine was asked to reboot by a program on it. */
  reboot(): void {
    if (!this.#up) return;
    this.#stop("reboot");
    this.#boot();
  }

  switchOff(): void {
    this.#off = true;
    if (this.#up) this.#stop("power cut");
  }

  #stop(why: string): void {
    this.#up = false;
    const child = this.#child;
    this.#child = undefined;
    this.#state = undefined;
    child?.killAll();
    this.#happened({ kind: "down", device: this.name, why });
  }

  killAgent(): void {
    this.#child?.signal("SIGKILL");
  }

  /** It asks for a deployment: whatever it did before is over. */
  async rest(): Promise<void> {
    await this.look();
    if (this.#state !== undefined) {
      this.#state = undefined;
      this.#happened({ kind: "state", device: this.name, state: undefined });
    }
    if (this.#software === this.#runs) return;
    this.#runs = this.#software;
    this.#happened({ kind: "runs", device: this.name, software: this.#software });
  }

  /** Look what is really there, and what the agent says is. */
  async look(): Promise<void> {
    await this.#looking;
    const { software, provides } = await this.#files.look();
    this.#provides = provides;
    const says = provides.artifact_name ?? "nothing";
    this.#software = software === says ? software : `${software}, and the agent says ${says}`;
  }

  /** The scenario's time has moved. */
  timeMoved(): void {
    this.failures = 0;
    this.#lastMs = this.#parts.system.clock.monotonic();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#child = undefined;
    child?.killAll();
    await child?.ended;
  }

  #happened(event: Happening): void {
    this.#lastMs = this.#parts.system.clock.monotonic();
    this.#parts.happened(event);
  }
}
