import { sleepWith, type Timer, type Timers } from "@upkeep/shared/system";
import type { ArtifactDefect, ExchangeEffect } from "../../faults/effects/exchange.ts";
import { hitsProgram, type ProgramEffect, type ProgramTrouble } from "../../faults/effects/machine.ts";
import { effectOf, FaultPlan, plannedFaults } from "../../faults/index.ts";
import { instantMs, type Scenario } from "../file/index.ts";
import { History } from "../run/events.ts";
import type { NewCertificate, Operator, Stage } from "../run/stage.ts";
import { WrongClocks } from "../run/wrong-clocks.ts";
import { formatForDevices } from "../world/artifacts.ts";
import { type DeviceIdentity, identitiesOf, ReleaseArtifacts } from "../world/fleet.ts";
import { BYTES_PER_SECOND, certificateError, certificateOf, type ServerCertificate } from "../world/network.ts";
import { AttachedDevice } from "./attached-device.ts";
import { ConnectHook } from "./connect-hook.ts";
import { isConnectionError } from "./connection-errors.ts";
import { DeploymentMonitor } from "./deployment-monitor.ts";
import { scriptText } from "./device-programs.ts";
import { Enrolment } from "./enrolment.ts";
import { Exchanges } from "./exchanges.ts";
import type { LiveDevice } from "./live-device.ts";
import type { AttachOptions, RealOptions, StageOptions } from "./options.ts";
import { PollTurns } from "./poll-turns.ts";
import { ProgramHub } from "./program-hub.ts";
import { DeviceProxy, type ProxyPort } from "./proxy.ts";
import { proxyPortOf } from "./proxy-port.ts";
import { RealDevice } from "./real-device.ts";
import { RealOperator } from "./real-operator.ts";
import { ScenarioTime } from "./scenario-time.ts";
import { ServerProcess } from "./server-process.ts";

/** Pause between two looks for the attached device, in milliseconds. */
const WAIT_MS = 200;

/** A device without a sign of life for this time, in milliseconds of this machine, does not hold up the polls of others. */
const TURN_QUIET_MS = 5000;
/** Longest wait of a poll for the devices before it, in milliseconds of this machine. */
const TURN_MS_MAX = 60_000;
/** Pieces of a body that keeps a rate: each is a step of the scenario's time, and ends the silence of the connection. */
const PIECES = 32;
const PIECE_MS = { least: 1000, most: 20_000 } as const;

function pieceMs(bodyMs: number): number {
  return Math.min(Math.max(bodyMs / PIECES || 0, PIECE_MS.least), PIECE_MS.most);
}

function scenarioTimers(time: ScenarioTime): Timers {
  const after = (delayMs: number, action: () => void): Timer => time.after(delayMs, action);
  return { after, sleep: (delayMs, signal) => sleepWith({ after }, delayMs, signal) };
}

function startServer(scenario: Scenario, { system, server, directory }: StageOptions): Promise<ServerProcess> {
  return ServerProcess.start({
    system,
    program: server,
    directory: `${directory}/server`,
    tokenLifeMs: scenario.server.token_life,
    linkLifeMs: scenario.server.link_life,
    adaptive: scenario.server.adaptive,
  });
}

async function prepared(world: RealWorld, prepare: (world: RealWorld) => Promise<void>): Promise<RealWorld> {
  try {
    await prepare(world);
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** A scenario's fleet and server as processes of this machine. */
export class RealWorld implements Stage {
  readonly scenario: Scenario;
  readonly history: History;
  readonly plan: FaultPlan;
  readonly devices = new Map<string, LiveDevice>();
  /** The devices that are processes of this machine. */
  readonly #ours = new Map<string, RealDevice>();
  readonly #clock = new ScenarioTime();
  readonly #clocks = new WrongClocks();
  readonly #turns: PollTurns;
  readonly #options: StageOptions;
  readonly #server: ServerProcess;
  readonly #operator: RealOperator;
  readonly #enrolment: Enrolment;
  readonly #deployments: DeploymentMonitor;
  readonly #artifacts: ReleaseArtifacts;
  readonly #deviceIds = new Map<string, string>();
  readonly #places = new Map<string, readonly [release: number, artifact: number]>();
  readonly #proxies: DeviceProxy[] = [];
  #hub: ProgramHub | undefined;
  #broken: unknown;
  #certificate: ServerCertificate;
  /** The server's wall clock is this much ahead of the scenario's time, in milliseconds. */
  #serverAheadMs = 0;

  private constructor(scenario: Scenario, options: StageOptions, server: ServerProcess, interpreter?: string) {
    this.scenario = scenario;
    this.#options = options;
    this.#turns = new PollTurns(options.system.timers, TURN_MS_MAX);
    this.#server = server;
    const { issuer, until } = scenario.server.certificate;
    this.#certificate = certificateOf(scenario.starts, issuer, until);
    this.history = new History(() => this.#clock.nowMs);
    this.plan = new FaultPlan(plannedFaults(scenario.faults, scenario.starts), scenario.seed);
    this.#operator = new RealOperator(server, scenario.starts, this.#deviceIds);
    this.#enrolment = new Enrolment(server, this.#operator, this.#deviceIds);
    this.#deployments = new DeploymentMonitor(server, this.#operator, this.#deviceIds, {
      devices: this.devices,
      history: this.history,
      broken: (error) => {
        this.#broken ??= error;
      },
    });
    this.#artifacts = new ReleaseArtifacts(
      scenario,
      options.readArtifact,
      (code) => Buffer.from(scriptText({ interpreter: interpreter ?? "/bin/false", hub: this.#hub?.url ?? "" }, code)),
      options.payloadType === undefined ? undefined : formatForDevices(options.payloadType),
    );
  }

  /** Starts the server and creates the fleet. The scenario does not begin yet. */
  static async open(scenario: Scenario, options: RealOptions): Promise<RealWorld> {
    const server = await startServer(scenario, options);
    return await prepared(new RealWorld(scenario, options, server, options.interpreter), (world) =>
      world.#makeFleet(options),
    );
  }

  /** Starts the server and waits for the attached device. */
  static async attach(scenario: Scenario, options: AttachOptions): Promise<RealWorld> {
    const server = await startServer(scenario, options);
    return await prepared(new RealWorld(scenario, options, server), (world) => world.#awaitDevice(options));
  }

  /** True if the timers of all devices are known. */
  get knowsTimers(): boolean {
    return this.devices.size === this.#ours.size;
  }

  get time(): { readonly nowMs: number; after(delayMs: number, action: () => void): Timer } {
    return this.#clock;
  }

  /** The first error that the scenario does not provide for, if any. */
  get broken(): unknown {
    return this.#broken;
  }

  get serverLog(): string {
    return this.#server.log;
  }

  device(name: string): LiveDevice {
    const device = this.devices.get(name);
    if (device === undefined) throw new Error(`there is no device ${name}`);
    return device;
  }

  async #makeFleet(options: RealOptions): Promise<void> {
    await this.#setServerClock();
    const hub = await ProgramHub.start({
      module: (device, call) => this.#programTroubles(device, "module", call),
      script: (device, name) => this.#programTroubles(device, "script", name),
      midway: async (device, call, over) => {
        const known = this.#ours.get(device);
        if (call === "ArtifactInstall") await known?.works(over);
        known?.midway(call);
        if (call === "ArtifactInstall") await known?.works(over);
      },
      reboot: (device) => this.#ours.get(device)?.reboot(),
      hangs: (device, over) => void this.#ours.get(device)?.holds(over),
      clock: (device, rest) => this.#ours.get(device)?.rests(rest) ?? new Promise(() => undefined),
    });
    this.#hub = hub;
    await this.#uploadAll();
    for (const identity of identitiesOf(this.scenario)) await this.#addDevice(identity, hub.url, options);
  }

  async #uploadAll(): Promise<void> {
    for (const [release, { artifacts }] of this.scenario.releases.entries())
      for (const artifact of artifacts.keys()) {
        const id = await this.#enrolment.upload(await this.#artifacts.get([release, artifact]));
        this.#places.set(id, [release, artifact]);
      }
  }

  /** Accepts the attached device; the scenario begins with its first poll. */
  async #awaitDevice({ attach, address, say, system, signal }: AttachOptions): Promise<void> {
    const [identity] = identitiesOf(this.scenario);
    if (identity === undefined) throw new Error("the scenario has no device");
    const { name, row } = identity;
    const device = new AttachedDevice(
      name,
      { nowMs: () => this.#clock.nowMs, releaseOf: (deployment) => this.#releaseOf(deployment) },
      system.clock,
    );
    await this.#setServerClock();
    await this.#uploadAll();
    const port = this.#proxyPort(name, device.exchanges, { timers: system.timers });
    let polled = false;
    const quiet: ProxyPort = {
      ...port,
      // Before the scenario begins, the device asks when it wants to, no fault strikes and no event is recorded.
      turn: async (kind) => (this.devices.has(name) ? await port.turn(kind) : undefined),
      strikes: (kind) => (this.devices.has(name) ? port.strikes(kind) : []),
      answered: async (kind, answer, request) => {
        if (this.devices.has(name)) return await port.answered(kind, answer, request);
        if (kind === "poll" && (answer.outcome.status ?? 500) < 400) polled = true;
      },
      failed: (kind, fault) => (this.devices.has(name) ? port.failed(kind, fault) : undefined),
      sent: (bytes, position, size) => (this.devices.has(name) ? port.sent(bytes, position, size) : undefined),
      broken: (error) => {
        if (this.devices.has(name)) port.broken(error);
        else if (!isConnectionError(error)) this.#broken ??= error;
      },
    };
    const proxy = await DeviceProxy.start(quiet, address);
    this.#proxies.push(proxy);
    say(
      `Waiting for ${attach === "next" ? "a device" : `the device ${attach}`} of type ${row.type} at port ${proxy.port}`,
    );
    for (let known = false; !known || !polled; await system.timers.sleep(WAIT_MS, signal)) {
      if (this.#broken !== undefined) throw this.#broken;
      if (!known) known = await this.#enrolment.admitWaiting(name, attach, row.accept);
    }
    if (row.group !== undefined) await this.#operator.moveToGroup(name, row.group);
    say(`The device is here: ${this.#deviceIds.get(name)}. The scenario begins.`);
    this.devices.set(name, device);
  }

  async #addDevice(identity: DeviceIdentity, hub: string, options: RealOptions): Promise<void> {
    const { name, row } = identity;
    await this.#enrolment.admit(identity, row.accept);
    if (row.group !== undefined) await this.#operator.moveToGroup(name, row.group);
    const { system, agent, interpreter, directory } = options;
    const root = `${directory}/devices/${name}`;
    const connections = new ConnectHook(system.files, root);
    const exchanges = new Exchanges(() => this.#ours.get(name)?.wake());
    const timers = scenarioTimers(this.#clock);
    const proxy = await DeviceProxy.start({
      ...this.#proxyPort(name, exchanges, { timers, pieceMs, bytesPerSecond: BYTES_PER_SECOND }),
      connections,
    });
    this.#proxies.push(proxy);
    const device = new RealDevice({
      identity,
      system,
      agent,
      interpreter,
      root,
      connections,
      serverUrl: `http://127.0.0.1:${proxy.port}`,
      hub,
      verifyKey: this.#artifacts.verifyKey,
      exchanges,
      plan: this.plan,
      startMs: this.scenario.starts,
      nowMs: () => this.#clock.nowMs,
      releaseOf: (deployment) => this.#releaseOf(deployment),
      after: (delayMs, action) => this.#clock.after(delayMs, action),
      happened: (event) => this.history.add(event),
      broken: (error) => {
        this.#broken ??= error;
      },
    });
    this.devices.set(name, device);
    this.#ours.set(name, device);
    await device.make();
  }

  /** Starts the devices. */
  start(): void {
    for (const [name, device] of this.devices) {
      const switchedOn = identitiesOf(this.scenario).find((one) => one.name === name)?.row.switched_on ?? 0;
      this.#clock.after(switchedOn, () => device.switchOn());
    }
  }

  /** What a device's proxy asks of the world. */
  #proxyPort(
    name: string,
    exchanges: Exchanges,
    pace: Pick<ProxyPort, "timers" | "pieceMs" | "bytesPerSecond">,
  ): ProxyPort {
    return proxyPortOf(name, {
      system: this.#options.system,
      server: this.#server,
      ...pace,
      exchanges,
      plan: this.plan,
      history: this.history,
      device: () => this.device(name),
      turn: (device) => this.#turnOf(device),
      certificate: () => this.#certificateErrorOf(name),
      artifactWith: (url, defect) => this.#artifactWith(url, defect),
      killServer: (backAfterMs) => this.#killServer(backAfterMs),
      refresh: () => this.refresh(),
      broken: (error) => {
        this.#broken ??= error;
      },
    });
  }

  #releaseOf(deployment: string | undefined): string | undefined {
    return this.scenario.deployments.find((one) => one.name === deployment)?.release;
  }

  /** Resolves when every device before this one in the fleet has polled, if it is to poll now; see {@link PollTurns}. */
  #turnOf(device: LiveDevice): Promise<void> {
    const all = [...this.devices.values()];
    const before = all.slice(0, all.indexOf(device));
    return this.#turns.until(() => !before.some((one) => one.isDueToPoll && !one.isSettled(TURN_QUIET_MS)));
  }

  async #artifactWith(url: string, defect: ArtifactDefect): Promise<Uint8Array | undefined> {
    for (const [id, place] of this.#places) if (url.includes(id)) return await this.#artifacts.get(place, defect);
    return undefined;
  }

  async #programTroubles(
    device: string,
    program: ProgramEffect["program"],
    name: string,
  ): Promise<readonly ProgramTrouble[]> {
    const known = this.devices.get(device);
    if (known === undefined) return [];
    if (program === "module") this.history.add({ kind: "module", device, call: name });
    // What the call before has installed runs now.
    await known.look();
    const strikes = this.plan.strikes("program", known.moment(), (one) =>
      hitsProgram(effectOf<"program">(one), program, name),
    );
    for (const { fault, value } of strikes) this.history.add({ kind: "fault", device, fault: `${fault} ${value}` });
    return strikes.map((strike) => effectOf<"program">(strike).trouble);
  }

  async atServer(action: (operator: Operator) => Promise<void>): Promise<void> {
    await action(this.#operator);
    await this.refresh();
  }

  renewCertificate({ issuer = this.#certificate.issuer, until }: NewCertificate): void {
    this.#certificate = certificateOf(this.scenario.starts, issuer, until);
  }

  /** The check of a device that this machine runs; that of an attached one is its own. */
  #certificateErrorOf(name: string): ExchangeEffect {
    const device = this.#ours.get(name);
    const row = identitiesOf(this.scenario).find((one) => one.name === name)?.row;
    if (device === undefined) return {};
    const { wallMs } = device.machine;
    return certificateError(this.#certificate, { startMs: this.scenario.starts, wallMs, trusts: row?.trusts });
  }

  jumpServerClock(byMs: number): void {
    this.#serverAheadMs += byMs;
    this.#setServerClock().catch((error: unknown) => {
      this.#broken ??= error;
    });
  }

  killServer(backAfterMs: number): void {
    this.#killServer(backAfterMs).catch((error: unknown) => {
      this.#broken ??= error;
    });
  }

  async #killServer(backAfterMs: number): Promise<void> {
    if (!this.#server.up) return;
    this.history.add({ kind: "action", what: "the server is killed" });
    await this.#server.kill();
    this.#clock.after(backAfterMs, () => {
      this.#restart().catch((error: unknown) => {
        this.#broken ??= error;
      });
    });
  }

  async #restart(): Promise<void> {
    await this.#server.restart();
    await this.#server.unlessDown(() => this.#setServerClock());
    this.history.add({ kind: "action", what: "the server has started again" });
  }

  setClocks(): void {
    this.#clocks.set(this);
  }

  /** Freezes the server's clock at the scenario's time, and what it is ahead of it. */
  async #setServerClock(): Promise<void> {
    await this.#server.control("POST", "/clock/freeze");
    await this.#server.control("PUT", "/clock", {
      now: new Date(this.scenario.starts + this.#clock.nowMs + this.#serverAheadMs).toISOString(),
    });
  }

  /** The next due instant of timers, of the devices too, of phases of deployments, and of starts and ends of faults. */
  get nextMs(): number | undefined {
    const { starts, deployments } = this.scenario;
    const phases = deployments
      .flatMap(({ phases = [] }) => phases)
      .flatMap(({ start }) => (start === undefined ? [] : [instantMs(start, starts)]));
    const faults = this.plan.faults.flatMap(({ fromMs, untilMs }) =>
      [fromMs, untilMs].filter((ms) => ms !== undefined),
    );
    const timers = [...this.devices.values()].flatMap(({ dueMs }) => (dueMs === undefined ? [] : [dueMs]));
    const known = [...phases, ...faults, ...timers].filter((ms) => ms > this.#clock.nowMs);
    const due = [this.#clock.nextMs ?? Number.POSITIVE_INFINITY, ...known];
    const next = Math.min(...due);
    return Number.isFinite(next) ? next : undefined;
  }

  /** Runs what is due now. @returns False if nothing was due. */
  fire(): boolean {
    return this.#clock.fire();
  }

  /** Advances the scenario's time to this instant. */
  async moveTo(toMs: number): Promise<void> {
    const byMs = Math.round(toMs - this.#clock.nowMs);
    if (byMs <= 0) return;
    const by = `${Math.floor(byMs / 1000)}s ${byMs % 1000}ms`;
    await this.#server.unlessDown(() => this.#server.control("POST", "/clock/advance", { by }));
    this.#clock.moveTo(toMs);
    // At the very end, nothing that is due begins any more.
    if (toMs < this.scenario.ends.boundMs) for (const device of this.devices.values()) device.timeMoved();
    await this.refresh();
  }

  /** Records changes of deployments at the server. */
  refresh(): Promise<void> {
    return this.#deployments.refresh();
  }

  deployment(name: string) {
    return this.#deployments.deployment(name);
  }

  /** True if time may advance without interrupting any device. */
  isSettled(quietMs: number): boolean {
    return !this.#server.changes && [...this.devices.values()].every((device) => device.isSettled(quietMs));
  }

  async close(): Promise<void> {
    for (const device of this.devices.values()) await device.close();
    for (const proxy of this.#proxies) await proxy.close();
    await this.#hub?.close();
    await this.#server.kill();
  }
}
