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
import { isOfSystemd } from "../world/factory.ts";
import { isInterruptionAt } from "../world/power.ts";
import {
  type AgentRest,
  type AgentTime,
  agentClockEnvironment,
  agentClockOptions,
  installAgentClock,
} from "./agent-clock.ts";
import type { ConnectHook } from "./connect-hook.ts";
import { DeviceClock } from "./device-clock.ts";
import { DeviceFiles, type DeviceFilesParts } from "./device-files.ts";
import { DEVICE_VARIABLE } from "./device-programs.ts";
import type { Exchanges } from "./exchanges.ts";
import type { LiveDevice } from "./live-device.ts";
import { StateHook } from "./state-hook.ts";

const STATE_LINE = /\bstate (\w+): /;
/** The daemon says that an update has ended, or is to be resumed later. */
const END_LINE = /^deployment \S+ (succeeded|failed: )|the update rests in the state/;
/** Longest start of an agent on a loaded machine. */
const START_MS_MAX = 60_000;
/** An agent that ends this often is not started again. */
const RESTARTS_MAX = 200;

export interface RealDeviceParts extends DeviceFilesParts {
  /** Command line of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  /** Fails connections in the agent's process. */
  readonly connections: ConnectHook;
  readonly exchanges: Exchanges;
  readonly plan: FaultPlan;
  readonly nowMs: () => number;
  /** Start of the scenario, in milliseconds since the Unix epoch. */
  readonly startMs: number;
  /** The release of a deployment. */
  releaseOf(deployment: string | undefined): string | undefined;
  readonly after: (delayMs: number, action: () => void) => Timer;
  happened(event: Happening): void;
  broken(error: unknown): void;
}

/** One device of a scenario: a directory and the agent as a process. */
export class RealDevice implements LiveDevice {
  readonly name: string;
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  failures = 0;
  readonly #clock: DeviceClock;
  /** The wall clock is this much ahead, in milliseconds. */
  #wallAheadMs = 0;
  /** Time of the last poll, by the scenario's clock. */
  #polledMs = Number.NEGATIVE_INFINITY;
  /** Number of programs that wait for the scenario's time to advance, or for ever. */
  #heldPrograms = 0;
  /** Time of the last event, in milliseconds of the machine's monotonic clock. */
  #lastMs: number;
  /** The agent has logged a line since its start. */
  #awake = false;
  readonly #parts: RealDeviceParts;
  readonly #files: DeviceFiles;
  readonly #states: StateHook;
  readonly #recurrences: Recurrences;
  #inventory: LiveDevice["inventory"];
  #child: Child | undefined;
  #state: StateName | undefined;
  #middleIsOver = false;
  /** Number of the agent's process. */
  #process = 0;
  #off = true;
  /** Time of the last boot, by the scenario's clock. */
  #bootedMs = 0;
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
    this.#clock = new DeviceClock(() => this.#time);
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
    this.#states = new StateHook(parts.system.files, parts.root);
    this.name = parts.identity.name;
    this.#inventory = parts.identity.row.inventory;
    this.#lastMs = parts.system.clock.monotonic();
  }

  get state(): StateName | undefined {
    return this.#state;
  }

  /** True if the scenario's time may advance without interrupting the device. */
  isSettled(quietMs: number): boolean {
    if (!this.#up) return true;
    const programs = this.#heldPrograms;
    // A download goes on when the program takes it.
    const moving = this.#parts.exchanges.movingBut(...(programs > 0 ? (["download"] as const) : []));
    if (this.#clock.isAtRest({ sockets: this.#parts.exchanges.held, moving, programs })) return true;
    this.#clock.lookAgain();
    return this.#parts.system.clock.monotonic() - this.#lastMs > (this.#awake ? quietMs : START_MS_MAX);
  }

  get #time(): AgentTime {
    const nowMs = this.#parts.nowMs();
    return { nowMs, wallMs: this.#parts.startMs + nowMs + this.#wallAheadMs };
  }

  /** The agent's process rests. @returns Resolves with the time when it is to go on. */
  rests(rest: AgentRest): Promise<AgentTime> {
    return this.#clock.rests(rest);
  }

  /** Something may happen in the agent's process now. */
  wake(): void {
    this.#clock.wake();
  }

  /** When the agent's next timer is due, in milliseconds of the scenario. */
  get dueMs(): number | undefined {
    return this.#up ? this.#clock.dueMs : undefined;
  }

  touch(): void {
    this.#lastMs = this.#parts.system.clock.monotonic();
  }

  polled(): void {
    this.#polledMs = this.#parts.nowMs();
  }

  get isDueToPoll(): boolean {
    return this.#up && this.#state === undefined && this.#polledMs !== this.#parts.nowMs();
  }

  get isAtRest(): boolean {
    return !this.#up || this.#state === undefined;
  }

  /** Waits for half the duration of an installation, by the scenario's clock. @param over Ends the wait. */
  works(over: Promise<void>): Promise<void> {
    const { after, identity } = this.#parts;
    const half = new Promise<void>((resolve) => after(identity.row.module.takes / 2, resolve));
    return this.holds(Promise.race([half, over]));
  }

  /** A program waits, and does not hold up the time. */
  async holds(wait: Promise<void>): Promise<void> {
    this.#heldPrograms++;
    this.wake();
    try {
      await wait;
    } finally {
      this.#heldPrograms--;
      this.wake();
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
      wallMs: this.#time.wallMs,
      signalProgram: (name) => this.#clock.reach(() => this.#child?.signal(name)),
      setWallClock: (wallMs) => {
        this.#wallAheadMs += wallMs - this.#time.wallMs;
        this.#clock.wake();
      },
    };
  }

  /** Creates the device's files. */
  async make(): Promise<void> {
    await this.#files.make(this.#inventory);
    await this.#parts.connections.install();
    await installAgentClock(this.#parts.system.files, this.#parts.root);
    await this.#states.install();
    await this.look();
  }

  /** Switches the power on. */
  switchOn(): void {
    this.#off = false;
    this.#boot();
  }

  #boot(): void {
    if (this.#up || this.#off || this.#closed) return;
    this.#bootedMs = this.#parts.nowMs();
    this.#happened({ kind: "boot", device: this.name, software: this.#software });
    this.#recurrences.begin();
    this.#run();
  }

  #run(): void {
    this.#up = true;
    this.#awake = false;
    this.#polledMs = Number.NEGATIVE_INFINITY;
    const { agent, connections, root, system, hub } = this.#parts;
    const [command, ...script] = agent;
    const before = [...agentClockOptions(root), ...this.#states.nodeOptions, ...connections.nodeOptions, ...script];
    const process = ++this.#process;
    const line = (text: string): void => this.#line(text, process);
    startChild({
      command,
      args: [...before, "--root", root, "--log-format", "journal", "--log-level", "debug", "daemon"],
      environment: {
        [DEVICE_VARIABLE]: this.name,
        ...this.#states.begin(),
        ...agentClockEnvironment({
          ...this.#time,
          hub: `${hub}/clock?device=${encodeURIComponent(this.name)}`,
          upMs: this.#parts.nowMs() - this.#bootedMs,
        }),
        // What systemd tells the runner itself is not for the agent.
        INVOCATION_ID: isOfSystemd(this.#parts.identity.row) ? String(process) : "",
        NOTIFY_SOCKET: "",
        TZ: "UTC",
        PATH: `${root}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      },
      onOutput: line,
      onError: line,
    }).then(
      (child) => {
        // The power may have been cut during the start.
        if (!this.#up || this.#closed) child.killAll();
        else {
          this.#child = child;
          this.#clock.restart(child.pid);
        }
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
    this.#clock.restart(undefined);
    this.#state = undefined;
    if (this.#closed) return;
    this.#happened({ kind: "down", device: this.name, why: `the agent ended: ${how}` });
    if (++this.#restarts < RESTARTS_MAX && !this.#off) this.#run();
    else this.#up = false;
  }

  #line(text: string, process: number): void {
    this.#awake = true;
    const [, level, message = text] = /^<(\d)>(.*)$/.exec(text) ?? [];
    this.#lastMs = this.#parts.system.clock.monotonic();
    const state = STATE_LINE.exec(message)?.[1];
    if (process === this.#process && this.#up) {
      const known = AGENT_STATES.find((name) => name === state);
      if (known !== undefined) this.#enter(known);
      if (state !== undefined) this.#goOn();
      if (END_LINE.test(message)) this.#restSoon();
    }
    if (level !== "7") this.#happened({ kind: "line", device: this.name, line: message });
  }

  /** The process that has logged a state goes on. */
  #goOn(): void {
    if (this.#up) this.#states.goOn().catch((error: unknown) => this.#parts.broken(error));
  }

  #enter(state: StateName): void {
    const before = this.#state;
    if (before === state) return;
    if (before !== undefined) this.#reached("after", before);
    if (this.#child === undefined) return;
    this.#state = state;
    this.#middleIsOver = false;
    this.#happened({ kind: "state", device: this.name, state });
    this.#reached("before", state);
    // In states without a module call, the middle is the beginning.
    if (!state.startsWith("Artifact") && state !== "Download") this.#reached("during", state);
  }

  /** The middle of a module call or of a download. */
  midway(state: string): void {
    if (state !== this.#state || this.#middleIsOver) return;
    this.#middleIsOver = true;
    this.#reached("during", this.#state);
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
    this.#clock.restart(undefined);
    this.#state = undefined;
    child?.killAll();
    this.#happened({ kind: "down", device: this.name, why });
  }

  killAgent(): void {
    this.#child?.signal("SIGKILL");
  }

  #restSoon(): void {
    this.#leaveState();
    this.rest().catch((error: unknown) => this.#parts.broken(error));
  }

  /** No update is under way. */
  async rest(): Promise<void> {
    this.#leaveState();
    await this.look();
    if (this.#software === this.#runs) return;
    this.#runs = this.#software;
    this.#recurrences.begin();
    this.#happened({ kind: "runs", device: this.name, software: this.#software });
  }

  #leaveState(): void {
    if (this.#state === undefined) return;
    this.#state = undefined;
    this.#happened({ kind: "state", device: this.name, state: undefined });
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
    this.#lastMs = this.#parts.system.clock.monotonic();
    this.#clock.timeMoved();
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
