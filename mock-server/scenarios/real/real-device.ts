import { given } from "@upkeep/shared/given";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Timer } from "@upkeep/shared/system";
import type { StateName } from "upkeep/index.ts";
import type { Interruption } from "../../faults/effects/machine.ts";
import { effectOf, type FaultPlan, type Moment, type Strike } from "../../faults/index.ts";
import { AGENT_STATES } from "../../faults/language/names.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import { type Child, startChild } from "../../system/children.ts";
import type { Happening } from "../run/events.ts";
import { Recurrences } from "../run/recurrences.ts";
import { isInterruptionAt } from "../world/power.ts";
import type { ConnectHook } from "./connect-hook.ts";
import { DeviceFiles, type DeviceFilesParts } from "./device-files.ts";
import { DEVICE_VARIABLE } from "./device-programs.ts";
import type { LiveDevice } from "./live-device.ts";

const STATE_LINE = /\bstate (\w+): /;
/** Consecutive failures after which a device counts as settled. */
const FAILURES_ENOUGH = 2;
/** Longest start of an agent on a loaded machine. */
const START_MS_MAX = 60_000;
/** An agent that ends this often is not started again. */
const RESTARTS_MAX = 200;

export interface RealDeviceParts extends DeviceFilesParts {
  /** Command line of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  /** Fails connections in the agent's process; `undefined` if Node does not run the agent. */
  readonly connections: ConnectHook | undefined;
  readonly plan: FaultPlan;
  readonly nowMs: () => number;
  /** The release of a deployment. */
  releaseOf(deployment: string | undefined): string | undefined;
  readonly after: (delayMs: number, action: () => void) => Timer;
  happened(event: Happening): void;
}

/** One device of a scenario: a directory and the agent as a process. */
export class RealDevice implements LiveDevice {
  readonly name: string;
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  /** Failed requests since the scenario's time last advanced. */
  failures = 0;
  /** Time of the last poll, by the scenario's clock. */
  #polledMs = Number.NEGATIVE_INFINITY;
  /** It was told to poll now, before its interval has passed. */
  #isTold = false;
  /** Number of programs that wait for the scenario's time to advance. */
  #waiting = 0;
  /** Time of the last event, in milliseconds of the machine's monotonic clock. */
  #lastMs: number;
  /** The agent has logged a line since its start. */
  #awake = false;
  readonly #parts: RealDeviceParts;
  readonly #files: DeviceFiles;
  readonly #recurrences: Recurrences;
  #inventory: LiveDevice["inventory"];
  #child: Child | undefined;
  #state: StateName | undefined;
  #off = true;
  /** The device has power, and its agent runs or is being started. */
  #up = false;
  #restarts = 0;
  #runs: string | undefined;
  #software = "nothing";
  #provides: Readonly<Record<string, string>> = {};
  #closed = false;
  /** The last access to the device's files; accesses are serialised. */
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: RealDeviceParts) {
    this.#parts = parts;
    this.#recurrences = new Recurrences({
      plan: parts.plan,
      after: parts.after,
      moment: () => this.moment(),
      interrupt: (strike, effect) => this.#interrupt(strike, effect, "again"),
    });
    parts.plan.watch(() => {
      if (this.#up) this.#recurrences.begin();
    });
    this.#files = new DeviceFiles(parts);
    this.name = parts.identity.name;
    this.#inventory = parts.identity.row.inventory;
    this.#lastMs = parts.system.clock.monotonic();
  }

  get state(): StateName | undefined {
    return this.#state;
  }

  /** True if the scenario's time may advance without interrupting the device. */
  isSettled(quietMs: number): boolean {
    if (!this.#up || this.#waiting > 0 || this.failures >= FAILURES_ENOUGH) return true;
    const { nowMs, identity, system } = this.#parts;
    if (this.#state === undefined && nowMs() - this.#polledMs < identity.row.poll) return true;
    return system.clock.monotonic() - this.#lastMs > (this.#awake ? quietMs : START_MS_MAX);
  }

  touch(): void {
    this.#lastMs = this.#parts.system.clock.monotonic();
  }

  /** @param status Of the answer to a poll: 200 starts a deployment. */
  polled(status: number): void {
    this.#isTold = false;
    this.#polledMs = status === 204 ? this.#parts.nowMs() : Number.NEGATIVE_INFINITY;
  }

  get isDueToPoll(): boolean {
    if (!this.#up || this.#state !== undefined) return false;
    return this.#isTold || this.#parts.nowMs() - this.#polledMs >= this.#parts.identity.row.poll;
  }

  /** The agent polls every second, and at once after an update. */
  get mayPoll(): boolean {
    return this.#state !== undefined || this.isDueToPoll;
  }

  pollFailed(): void {
    this.#isTold = false;
  }

  /** True if its last poll found no deployment. */
  get isAtRest(): boolean {
    return !this.#up || (this.#state === undefined && this.#polledMs >= 0);
  }

  /** Waits for half the duration of an installation, by the scenario's clock. */
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

  get inventory(): LiveDevice["inventory"] {
    return this.#inventory;
  }

  set inventory(attributes: LiveDevice["inventory"]) {
    this.#inventory = attributes;
    this.#looking = this.#looking.then(() => this.#files.writeInventory(attributes));
  }

  get machine(): LiveDevice["machine"] {
    return {
      wallMs: this.#parts.nowMs(),
      signalProgram: (name) => {
        if (name === "SIGUSR1") this.#isTold = true;
        this.#child?.signal(name);
      },
      // Scenarios that set a clock are refused before they begin.
      setWallClock: () => undefined,
    };
  }

  /** Creates the device's files. */
  async make(): Promise<void> {
    await this.#files.make(this.#inventory);
    await this.#parts.connections?.install();
    await this.look();
  }

  /** Switches the power on. */
  switchOn(): void {
    this.#off = false;
    this.#boot();
  }

  #boot(): void {
    if (this.#up || this.#off || this.#closed) return;
    this.#happened({ kind: "boot", device: this.name, software: this.#software });
    this.#recurrences.begin();
    this.#run();
  }

  #run(): void {
    this.#up = true;
    this.#awake = false;
    this.#polledMs = Number.NEGATIVE_INFINITY;
    const { agent, connections, root, system } = this.#parts;
    const [command, ...script] = agent;
    const before = [...(connections?.nodeOptions ?? []), ...script];
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
        // The power may have been cut during the start.
        if (!this.#up || this.#closed) child.killAll();
        else this.#child = child;
        void child.ended.then((how) => this.#ended(child, how));
      },
      (error: unknown) => this.#happened({ kind: "down", device: this.name, why: String(error) }),
    );
    this.#lastMs = system.clock.monotonic();
  }

  /** The agent ended or was killed: the service manager restarts it. */
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
    // In states without a module call, the middle is the beginning.
    if (!state.startsWith("Artifact") && state !== "Download") this.#reached("during", state);
  }

  /** The middle of a module call or of a download. */
  midway(state: string): void {
    if (state === this.#state) this.#reached("during", this.#state);
  }

  #reached(when: "before" | "during" | "after", state: StateName): void {
    const [strike] = this.#parts.plan.strikes("power", this.moment(), (one) =>
      isInterruptionAt(effectOf<"power">(one), { when, state }),
    );
    if (strike === undefined) return;
    const effect = effectOf<"power">(strike);
    if (effect.kind === "interruption") this.#interrupt(strike, effect, `${when} ${state}`);
  }

  #interrupt(strike: Strike<"power">, effect: Interruption, when: string): void {
    if (!this.#up) return;
    this.#happened({ kind: "fault", device: this.name, fault: `${strike.fault} ${when}` });
    if (effect.does === "kill") this.killAgent();
    else this.cutPower(undefined, effect.offMs);
  }

  moment(request?: RequestKind): Moment {
    return {
      device: this.name,
      atMs: this.#parts.nowMs(),
      state: this.#state,
      status: this.status,
      software: this.#software,
      ...given({ request, release: this.#parts.releaseOf(this.deployment) }),
    };
  }

  cutPower(_leaves: unknown, forMs: number): void {
    if (!this.#up) return;
    this.#stop("power cut");
    this.#parts.after(forMs, () => this.#boot());
  }

  /** A program on the device requested a reboot. */
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
    this.#recurrences.end();
    const child = this.#child;
    this.#child = undefined;
    this.#state = undefined;
    child?.killAll();
    this.#happened({ kind: "down", device: this.name, why });
  }

  killAgent(): void {
    this.#child?.signal("SIGKILL");
  }

  /** A poll shows that the previous update has ended. */
  async rest(): Promise<void> {
    await this.look();
    if (this.#state !== undefined) {
      this.#state = undefined;
      this.#happened({ kind: "state", device: this.name, state: undefined });
    }
    if (this.#software === this.#runs) return;
    this.#runs = this.#software;
    this.#recurrences.begin();
    this.#happened({ kind: "runs", device: this.name, software: this.#software });
  }

  /** Refreshes software and provides from the device's files. */
  async look(): Promise<void> {
    await this.#looking;
    const { software, provides } = await this.#files.look();
    this.#provides = provides;
    const says = provides.artifact_name ?? "nothing";
    this.#software = software === says ? software : `${software}, and the agent says ${says}`;
  }

  /** The scenario's time has advanced. */
  timeMoved(): void {
    this.failures = 0;
    this.#lastMs = this.#parts.system.clock.monotonic();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#recurrences.end();
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
