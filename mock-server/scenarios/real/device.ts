import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { createDirectoryDurably, readFile, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import type { StateName } from "upkeep";
import type { RequestKind } from "../../control/requests.ts";
import { type Child, startChild } from "../../system/children.ts";
import type { FaultPlan, Moment, Strike } from "../faults/index.ts";
import { AGENT_STATES } from "../file/names.ts";
import type { Happening } from "../run/events.ts";
import { readRootImage, rootImage } from "../simulation/index.ts";
import { PAYLOAD_TYPE } from "../world/artifacts.ts";
import { CURRENT, DATASTORE, STORE_FILE } from "../world/factory.ts";
import type { DeviceIdentity } from "../world/fleet.ts";
import { NOWHERE } from "./bad-peers.ts";
import type { PlayedDevice } from "./played.ts";
import { DEVICE_VARIABLE, moduleText, type ProgramSettings, rebootText, scriptText } from "./programs.ts";

const VERIFY_KEY = "/etc/mender/artifact-verify-key.pem";
const TRUSTED = "/etc/mender/trusted.pem";
const BYTES_MAX = 1024 ** 3;
const STATE_LINE = /\bstate (\w+): /;
/** Times of the agent's configuration become shorter, but not shorter than a loaded machine needs. */
const SECONDS_MIN = 1;
const PROGRAM_SECONDS_MIN = 10;
/** So many failures in a row make no difference any more. */
const FAILURES_ENOUGH = 2;
/** A loaded machine takes its time to start an agent. */
const START_MS_MAX = 60_000;
/** An agent that ends again and again has given up. */
const RESTARTS_MAX = 200;

export interface RealDeviceParts {
  readonly identity: DeviceIdentity;
  readonly system: System;
  /** Everything of the device lies below it. */
  readonly root: string;
  /** The agent's file, and the program that runs it. */
  readonly agent: readonly [command: string, ...args: string[]];
  readonly interpreter: string;
  /** Of the device's proxy. */
  readonly serverUrl: string;
  /** URL where programs on the device find the runner. */
  readonly hub: string;
  readonly verifyKey: string;
  /** PEM of certificates to trust. */
  readonly trusted: string;
  /** So many milliseconds of the scenario are one of this machine. */
  readonly speed: number;
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
    this.#looking = this.#looking.then(() => this.#writeInventory());
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
    const { identity, verifyKey, trusted } = this.#parts;
    const { row } = identity;
    const provides = { artifact_name: "v1", ...row.provides };
    await this.#put("/etc/mender/mender.conf", JSON.stringify(this.#configuration()));
    await this.#put(VERIFY_KEY, verifyKey);
    await this.#put(TRUSTED, trusted);
    await this.#put(`${DATASTORE}/device_type`, `device_type=${row.type}\n`);
    await this.#put(`${DATASTORE}/mender-agent.pem`, identity.privatePem, 0o600);
    await this.#put(STORE_FILE, JSON.stringify({ version: 1, provides, update: null }));
    await this.#put(CURRENT, rootImage({ software: provides.artifact_name }));
    const lines = Object.entries(JSON.parse(identity.identity) as Record<string, string>);
    await this.#put(
      "/usr/share/mender/identity/mender-device-identity",
      `#!/bin/sh\n${lines.map(([key, value]) => `echo ${key}=${value}\n`).join("")}`,
      0o755,
    );
    await this.#put(
      "/usr/share/mender/inventory/mender-inventory-scenario",
      `#!/bin/sh\ncat '${this.#path("/inventory")}'\n`,
      0o755,
    );
    await this.#writeInventory();
    const programs = this.#programs();
    await this.#put("/bin/reboot", rebootText(programs), 0o755);
    if (!row.module.missing)
      await this.#put(`/usr/share/mender/modules/v3/${PAYLOAD_TYPE}`, moduleText(programs, row.module), 0o755);
    for (const [name, code] of Object.entries(row.scripts))
      await this.#put(`/etc/mender/scripts/${name}`, scriptText(programs, code), 0o755);
    await this.look();
  }

  #programs(): ProgramSettings {
    const { interpreter, hub } = this.#parts;
    return { interpreter, hub, current: this.#path(CURRENT) };
  }

  #configuration(): Record<string, unknown> {
    const { identity, serverUrl, speed, trusted } = this.#parts;
    const { row } = identity;
    const shorter = (seconds: number, least: number): number =>
      Math.max(least, Math.round((seconds * 1000) / speed / 1000));
    const times = Object.fromEntries(
      Object.entries({ ModuleTimeoutSeconds: 4 * 3600, StateScriptTimeoutSeconds: 3600, ...row.config })
        .filter(([key, value]) => key.endsWith("Seconds") && typeof value === "number")
        .map(([key, value]) => [
          key,
          shorter(Number(value), /Timeout|Idle/.test(key) ? PROGRAM_SECONDS_MIN : SECONDS_MIN),
        ]),
    );
    return {
      PollJitterPercent: 0,
      ConnectionIdleSeconds: 5,
      ...(row.verify_signatures ? { ArtifactVerifyKey: VERIFY_KEY } : {}),
      ...(trusted === "" ? {} : { ServerCertificate: TRUSTED }),
      ...row.config,
      ...times,
      RedirectHosts: [NOWHERE],
      ServerURL: serverUrl,
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 5,
      RetryPollIntervalSeconds: 1,
    };
  }

  #path(path: string): string {
    return `${this.#parts.root}${path}`;
  }

  async #put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const { files } = this.#parts.system;
    const full = this.#path(path);
    await createDirectoryDurably(files, full.slice(0, full.lastIndexOf("/")));
    await replaceFile(files, full, content, mode);
    await files.setPermissions(full, mode);
  }

  async #writeInventory(): Promise<void> {
    const lines = Object.entries(this.#inventory).flatMap(([key, value]) =>
      [value].flat().map((one) => `${key}=${one}\n`),
    );
    await this.#put("/inventory", lines.join(""));
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
    const isNow = (one: Strike<"power">): boolean =>
      (one.fault === "power_cut" || one.fault === "watchdog_reboot" || one.fault === "agent_killed") &&
      one.value[when] === state;
    const [strike] = this.#parts.plan.strikes("power", this.moment(), isNow);
    if (strike === undefined) return;
    this.#happened({ kind: "fault", device: this.name, fault: `${strike.fault} ${when} ${state}` });
    if (strike.fault === "agent_killed") this.killAgent();
    else this.cutPower(undefined, strike.fault === "power_cut" ? (strike.value.for ?? 10_000) : 0);
  }

  moment(request?: RequestKind): Moment {
    return {
      device: this.name,
      atMs: this.#parts.nowMs(),
      state: this.#state,
      status: this.status,
      ...(request === undefined ? {} : { request }),
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
    const { files } = this.#parts.system;
    await this.#looking;
    const image = await readFile(files, this.#path(CURRENT), BYTES_MAX);
    const there = (image === undefined ? undefined : readRootImage(image)?.software) ?? "nothing that is whole";
    const store = await readTextFile(files, this.#path(STORE_FILE), BYTES_MAX);
    const { provides } = JSON.parse(store ?? "{}") as { provides?: Readonly<Record<string, string>> | null };
    this.#provides = provides ?? {};
    const says = this.#provides.artifact_name ?? "nothing";
    this.#software = there === says ? there : `${there}, and the agent says ${says}`;
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
