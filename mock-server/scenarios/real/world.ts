import type { Timer } from "@upkeep/shared/system";
import type { ArtifactDefect } from "../../faults/effects/exchange.ts";
import { hitsProgram, type ProgramEffect, type ProgramTrouble } from "../../faults/effects/machine.ts";
import { effectOf, FaultPlan, plannedFaults } from "../../faults/index.ts";
import { TLS_ERRORS } from "../../faults/tls-failure.ts";
import { instantMs, type Scenario } from "../file/index.ts";
import { History } from "../run/events.ts";
import type { People, Stage } from "../run/stage.ts";
import { type DeviceIdentity, identitiesOf, ReleaseArtifacts } from "../world/fleet.ts";
import { AttachedDevice } from "./attached-device.ts";
import { RealDevice } from "./device.ts";
import { Entrance } from "./entrance.ts";
import { FailingPeers } from "./failing-peers.ts";
import { ProgramHub } from "./hub.ts";
import { Notices } from "./notices.ts";
import type { AttachOptions, RealOptions, StageOptions } from "./options.ts";
import { RealPeople } from "./people.ts";
import type { PlayedDevice } from "./played.ts";
import { scriptText } from "./programs.ts";
import { DeviceProxy, type ProxyPort } from "./proxy.ts";
import { proxyPortOf } from "./proxy-port.ts";
import { RealServer } from "./server.ts";
import { ScenarioTime } from "./time.ts";

/** How often it is looked whether the device on the desk is there, in milliseconds. */
const WAIT_MS = 200;

function startServer(scenario: Scenario, { system, server, directory }: StageOptions): Promise<RealServer> {
  return RealServer.start({
    system,
    program: server,
    directory: `${directory}/server`,
    tokenLifeMs: scenario.server.token_life,
    linkLifeMs: scenario.server.link_life,
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

/** A scenario's fleet and its server, as processes of this machine. */
export class RealWorld implements Stage {
  readonly scenario: Scenario;
  readonly history: History;
  readonly plan: FaultPlan;
  readonly devices = new Map<string, PlayedDevice>();
  /** Those of them that are processes of this machine. */
  readonly #ours = new Map<string, RealDevice>();
  /** So many milliseconds of the scenario are one of this machine: polls come every second. */
  readonly speed: number;
  readonly #clock = new ScenarioTime();
  readonly #options: StageOptions;
  readonly #server: RealServer;
  readonly #people: RealPeople;
  readonly #entrance: Entrance;
  readonly #notices: Notices;
  readonly #artifacts: ReleaseArtifacts;
  readonly #deviceIds = new Map<string, string>();
  readonly #places = new Map<string, readonly [release: number, artifact: number]>();
  readonly #proxies: DeviceProxy[] = [];
  readonly #failingPeers: FailingPeers;
  #hub: ProgramHub | undefined;
  #broken: unknown;

  private constructor(scenario: Scenario, options: StageOptions, server: RealServer, interpreter?: string) {
    this.scenario = scenario;
    this.#options = options;
    this.#server = server;
    this.history = new History(() => this.#clock.nowMs);
    this.plan = new FaultPlan(plannedFaults(scenario.faults, scenario.starts), scenario.seed);
    this.#people = new RealPeople(server, scenario.starts, this.#deviceIds);
    this.#entrance = new Entrance(server, this.#people, this.#deviceIds);
    this.#notices = new Notices(server, this.#people, this.#deviceIds, {
      devices: this.devices,
      history: this.history,
      broken: (error) => {
        this.#broken ??= error;
      },
    });
    this.#artifacts = new ReleaseArtifacts(scenario, options.readArtifact, (code) =>
      Buffer.from(scriptText({ interpreter: interpreter ?? "/bin/false", hub: this.#hub?.url ?? "" }, code)),
    );
    // A device on the desk polls when it wants to.
    this.speed =
      interpreter === undefined ? 1 : Math.max(1, Math.min(...scenario.fleet.map(({ poll }) => poll)) / 1000);
    this.#failingPeers = new FailingPeers(options.system.clock.now());
  }

  /** Start the server, and make the fleet. Nothing happens yet. */
  static async open(scenario: Scenario, options: RealOptions): Promise<RealWorld> {
    const server = await startServer(scenario, options);
    return await prepared(new RealWorld(scenario, options, server, options.interpreter), (world) =>
      world.#makeFleet(options),
    );
  }

  /** Start the server, and wait for a device that is somewhere else. */
  static async attach(scenario: Scenario, options: AttachOptions): Promise<RealWorld> {
    const server = await startServer(scenario, options);
    return await prepared(new RealWorld(scenario, options, server), (world) => world.#awaitDevice(options));
  }

  get time(): { readonly nowMs: number; after(delayMs: number, action: () => void): Timer } {
    return this.#clock;
  }

  /** What went wrong that is no part of the story; `undefined`: nothing. */
  get broken(): unknown {
    return this.#broken;
  }

  get serverLog(): string {
    return this.#server.log;
  }

  device(name: string): PlayedDevice {
    const device = this.devices.get(name);
    if (device === undefined) throw new Error(`there is no device ${name}`);
    return device;
  }

  async #makeFleet(options: RealOptions): Promise<void> {
    const { scenario } = this;
    await this.#setServerClock();
    await this.#failingPeers.prepare(
      scenario.faults.flatMap(({ what }) => (what.fault === "tls_failure" ? [TLS_ERRORS[what.value]] : [])),
    );
    const hub = await ProgramHub.start({
      module: (device, call) => this.#programTroubles(device, "module", call),
      script: (device, name) => this.#programTroubles(device, "script", name),
      midway: async (device, call) => {
        const known = this.#ours.get(device);
        if (call === "ArtifactInstall") await known?.works();
        known?.midway(call);
        if (call === "ArtifactInstall") await known?.works();
      },
      reboot: (device) => this.#ours.get(device)?.reboot(),
    });
    this.#hub = hub;
    await this.#uploadAll();
    for (const identity of identitiesOf(scenario)) await this.#addDevice(identity, hub.url, options);
  }

  async #uploadAll(): Promise<void> {
    for (const [release, { artifacts }] of this.scenario.releases.entries())
      for (const artifact of artifacts.keys()) {
        const id = await this.#entrance.upload(await this.#artifacts.get([release, artifact]));
        this.#places.set(id, [release, artifact]);
      }
  }

  /** The device on the desk is let in, and the scenario begins when it asks for a deployment. */
  async #awaitDevice({ attach, address, say, system, signal }: AttachOptions): Promise<void> {
    const [identity] = identitiesOf(this.scenario);
    if (identity === undefined) throw new Error("the scenario has no device");
    const { name, row } = identity;
    const device = new AttachedDevice(name, () => this.#clock.nowMs, system.clock);
    await this.#setServerClock();
    await this.#uploadAll();
    const { failingPeer: _, ...port } = this.proxyPort(name);
    let polled = false;
    const quiet: ProxyPort = {
      ...port,
      // Before the scenario begins nothing goes wrong, and nothing is written down.
      strikes: (kind) => (this.devices.has(name) ? port.strikes(kind) : []),
      answered: async (kind, answer, request) => {
        if (this.devices.has(name)) return await port.answered(kind, answer, request);
        if (kind === "poll" && answer.status < 400) polled = true;
      },
      failed: (kind, fault) => (this.devices.has(name) ? port.failed(kind, fault) : undefined),
      sent: (bytes, position) => (this.devices.has(name) ? port.sent(bytes, position) : undefined),
      broken: (error) => (this.devices.has(name) ? port.broken(error) : undefined),
    };
    const proxy = await DeviceProxy.start(quiet, address);
    this.#proxies.push(proxy);
    say(
      `Waiting for ${attach === "next" ? "a device" : `the device ${attach}`} of type ${row.type} at port ${proxy.port}`,
    );
    for (let known = false; !known || !polled; await system.timers.sleep(WAIT_MS, signal)) {
      if (!known) known = await this.#entrance.letIn(name, attach, row.accept);
    }
    if (row.group !== undefined) await this.#people.moveToGroup(name, row.group);
    say(`The device is here: ${this.#deviceIds.get(name)}. The scenario begins.`);
    this.devices.set(name, device);
  }

  async #addDevice(identity: DeviceIdentity, hub: string, options: RealOptions): Promise<void> {
    const { name, row } = identity;
    await this.#entrance.admit(identity, row.accept);
    if (row.group !== undefined) await this.#people.moveToGroup(name, row.group);
    const proxy = await DeviceProxy.start(this.proxyPort(name));
    this.#proxies.push(proxy);
    const { system, agent, interpreter, directory } = options;
    const device = new RealDevice({
      identity,
      system,
      agent,
      interpreter,
      root: `${directory}/devices/${name}`,
      serverUrl: `http://127.0.0.1:${proxy.port}`,
      hub,
      verifyKey: this.#artifacts.verifyKey,
      trusted: this.#failingPeers.trusted,
      speed: this.speed,
      plan: this.plan,
      nowMs: () => this.#clock.nowMs,
      after: (delayMs, action) => void this.#clock.after(delayMs, action),
      happened: (event) => this.history.add(event),
    });
    this.devices.set(name, device);
    this.#ours.set(name, device);
    await device.make();
  }

  /** Everything begins. */
  start(): void {
    for (const [name, device] of this.devices) {
      const switchedOn = identitiesOf(this.scenario).find((one) => one.name === name)?.row.switched_on ?? 0;
      this.#clock.after(switchedOn, () => device.switchOn());
    }
  }

  /** What a device's proxy asks of the world. */
  proxyPort(name: string): ProxyPort {
    return proxyPortOf(name, {
      system: this.#options.system,
      server: this.#server,
      speed: this.speed,
      failingPeer: (error) => this.#failingPeers.urlFor(error),
      plan: this.plan,
      history: this.history,
      device: () => this.device(name),
      artifactWith: (url, defect) => this.#artifactWith(url, defect),
      killServer: (backAfterMs) => this.#killServer(backAfterMs),
      notice: () => this.notice(),
      broken: (error) => {
        this.#broken ??= error;
      },
    });
  }

  async #artifactWith(url: string, defect: ArtifactDefect): Promise<Uint8Array | undefined> {
    for (const [id, place] of this.#places) if (url.includes(id)) return await this.#artifacts.get(place, defect);
    return undefined;
  }

  #programTroubles(device: string, program: ProgramEffect["program"], name: string): readonly ProgramTrouble[] {
    const known = this.devices.get(device);
    if (known === undefined) return [];
    if (program === "module") this.history.add({ kind: "module", device, call: name });
    const strikes = this.plan.strikes("program", known.moment(), (one) =>
      hitsProgram(effectOf<"program">(one), program, name),
    );
    for (const { fault, value } of strikes) this.history.add({ kind: "fault", device, fault: `${fault} ${value}` });
    return strikes.map((strike) => effectOf<"program">(strike).trouble);
  }

  async atServer(action: (people: People) => Promise<void>): Promise<void> {
    await action(this.#people);
    await this.notice();
  }

  jumpServerClock(): never {
    throw new Error("the server has the clock of its machine");
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
    await this.#setServerClock();
    this.history.add({ kind: "action", what: "the server has started again" });
  }

  setClocks(): void {
    // Such scenarios are refused before they begin.
  }

  /** The server's clock stands, and shows what the scenario's does. */
  async #setServerClock(): Promise<void> {
    await this.#server.control("POST", "/clock/freeze");
    await this.#server.control("PUT", "/clock", {
      now: new Date(this.scenario.starts + this.#clock.nowMs).toISOString(),
    });
  }

  /** When something is due by itself: timers, phases of deployments, faults that begin and end. */
  get nextMs(): number | undefined {
    const { starts, deployments } = this.scenario;
    const phases = deployments
      .flatMap(({ phases = [] }) => phases)
      .flatMap(({ start }) => (start === undefined ? [] : [instantMs(start, starts)]));
    const faults = this.plan.faults.flatMap(({ fromMs, untilMs }) =>
      [fromMs, untilMs].filter((ms) => ms !== undefined),
    );
    const known = [...phases, ...faults].filter((ms) => ms > this.#clock.nowMs);
    const due = [this.#clock.nextMs ?? Number.POSITIVE_INFINITY, ...known];
    const next = Math.min(...due);
    return Number.isFinite(next) ? next : undefined;
  }

  /** Do what is due now. @returns False if there was nothing. */
  fire(): boolean {
    return this.#clock.fire();
  }

  /** Let the scenario's time go on to this instant. */
  async moveTo(toMs: number): Promise<void> {
    const byMs = Math.round(toMs - this.#clock.nowMs);
    if (byMs <= 0) return;
    if (this.#server.up) {
      await this.#server.control("POST", "/clock/advance", { by: `${Math.floor(byMs / 1000)}s ${byMs % 1000}ms` });
    }
    this.#clock.moveTo(toMs);
    for (const device of this.devices.values()) device.timeMoved();
    await this.notice();
  }

  /** Take notice of what has changed at the server. */
  notice(): Promise<void> {
    return this.#notices.notice();
  }

  deployment(name: string) {
    return this.#notices.deployment(name);
  }

  /** Everything is settled: nobody does anything that time could not go on over. */
  isSettled(quietMs: number): boolean {
    return [...this.devices.values()].every((device) => device.isSettled(quietMs));
  }

  async close(): Promise<void> {
    for (const device of this.devices.values()) await device.close();
    for (const proxy of this.#proxies) await proxy.close();
    await this.#hub?.close();
    await this.#failingPeers.close();
    await this.#server.kill();
  }
}
