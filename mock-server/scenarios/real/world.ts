import { sign } from "node:crypto";
import {
  DEVICE_PATHS,
  type DeploymentStatus,
  type DeviceDeploymentStatus,
  type LogMessage,
  SIGNATURE_HEADER,
  StatusReport,
} from "@upkeep/shared/protocol";
import type { System, Timer } from "@upkeep/shared/system";
import { ServerError } from "../../errors.ts";
import type { CarriedRequest } from "../exchange/carry.ts";
import { FaultPlan, plannedFaults, type Strike } from "../faults/index.ts";
import { instantMs, type Scenario } from "../file/index.ts";
import { History } from "../run/events.ts";
import type { People, Stage } from "../run/stage.ts";
import type { Defect } from "../world/artifacts.ts";
import { type DeviceIdentity, identitiesOf, type ReadArtifact, ReleaseArtifacts } from "../world/fleet.ts";
import { AttachedDevice } from "./attached-device.ts";
import { BadPeers } from "./bad-peers.ts";
import { RealDevice } from "./device.ts";
import { ProgramHub } from "./hub.ts";
import { DEPLOYMENTS, RealPeople } from "./people.ts";
import type { PlayedDevice } from "./played.ts";
import { scriptText } from "./programs.ts";
import { DeviceProxy, type ProxyPort } from "./proxy.ts";
import { RealServer } from "./server.ts";
import { ScenarioTime } from "./time.ts";

const ARTIFACTS = "/api/management/v1/deployments/artifacts";
const AUTH_DEVICES = "/api/management/v2/devauth/devices?per_page=500";
const BOUNDARY = "----upkeep-scenario";
/** How often it is looked whether the device on the desk is there, in milliseconds. */
const WAIT_MS = 200;

interface KnownDevice {
  readonly id: string;
  readonly identity_data: Readonly<Record<string, unknown>>;
}

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

export interface StageOptions {
  readonly system: System;
  readonly readArtifact: ReadArtifact;
  /** The program and the file of `upkeep-server`. */
  readonly server: readonly [command: string, ...args: string[]];
  /** A directory that is there, for everything that devices and server have. */
  readonly directory: string;
}

export interface AttachOptions extends StageOptions {
  /** The device's id, a value of its identity, or `next`. */
  readonly attach: string;
  /** Where it finds its server. */
  readonly address: { readonly host: string; readonly port: number };
  /** Tells a person what to do, and what is going on. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RealOptions extends StageOptions {
  /** The program and the file of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  /** Of Node, for the programs on the devices. */
  readonly interpreter: string;
}

/** What is known of a deployment at the server. */
interface KnownDeployment {
  status: DeploymentStatus | undefined;
  readonly devices: Map<string, DeviceDeploymentStatus>;
  readonly logs: Set<string>;
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
  readonly #artifacts: ReleaseArtifacts;
  readonly #deviceIds = new Map<string, string>();
  readonly #places = new Map<string, readonly [release: number, artifact: number]>();
  readonly #known = new Map<string, KnownDeployment>();
  readonly #proxies: DeviceProxy[] = [];
  readonly #bad: BadPeers;
  #hub: ProgramHub | undefined;
  #noticing: Promise<void> = Promise.resolve();
  #broken: unknown;

  private constructor(scenario: Scenario, options: StageOptions, server: RealServer, interpreter?: string) {
    this.scenario = scenario;
    this.#options = options;
    this.#server = server;
    this.history = new History(() => this.#clock.nowMs);
    this.plan = new FaultPlan(plannedFaults(scenario.faults, scenario.starts), scenario.seed);
    this.#people = new RealPeople(server, scenario.starts, this.#deviceIds);
    this.#artifacts = new ReleaseArtifacts(scenario, options.readArtifact, (code) =>
      Buffer.from(scriptText({ interpreter: interpreter ?? "/bin/false", hub: this.#hub?.url ?? "" }, code)),
    );
    // A device on the desk polls when it wants to.
    this.speed =
      interpreter === undefined ? 1 : Math.max(1, Math.min(...scenario.fleet.map(({ poll }) => poll)) / 1000);
    this.#bad = new BadPeers(options.system.clock.now());
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
    await this.#bad.prepare(scenario.faults.flatMap(({ what }) => (what.fault === "tls_failure" ? [what.value] : [])));
    const hub = await ProgramHub.start({
      module: (device, call) => this.#programFaults(device, "module_", call, (value) => value === call),
      script: (device, name) => this.#programFaults(device, "script_", name, (set) => name.startsWith(`${set}_`)),
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
        const id = await this.#upload(await this.#artifacts.get([release, artifact]));
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
    const port = this.proxyPort(name);
    let polled = false;
    const quiet: ProxyPort = {
      ...port,
      // Before the scenario begins nothing goes wrong, and nothing is written down.
      strikes: (kind) => (this.devices.has(name) ? port.strikes(kind) : { exchange: [], server: [] }),
      answered: async (kind, status, request) => {
        if (this.devices.has(name)) return await port.answered(kind, status, request);
        if (kind === "poll" && status < 400) polled = true;
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
      if (!known) known = await this.#letIn(name, attach, row.accept);
    }
    if (row.group !== undefined) await this.#people.moveToGroup(name, row.group);
    say(`The device is here: ${this.#deviceIds.get(name)}. The scenario begins.`);
    this.devices.set(name, device);
  }

  async #letIn(name: string, wanted: string, accept: boolean): Promise<boolean> {
    const all = (await this.#server.ask("GET", AUTH_DEVICES)) as KnownDevice[];
    const found = all.find(
      ({ id, identity_data }) => wanted === "next" || id === wanted || Object.values(identity_data).includes(wanted),
    );
    if (found === undefined) return false;
    this.#deviceIds.set(name, found.id);
    if (accept) await this.#people.accept(name);
    return true;
  }

  async #addDevice(identity: DeviceIdentity, hub: string, options: RealOptions): Promise<void> {
    const { name, row } = identity;
    this.#deviceIds.set(name, await this.#admit(identity, row.accept));
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
      trusted: this.#bad.trusted,
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

  /** Make a device known, and let it in if it is to be. @returns Its id. */
  async #admit({ identity, privatePem, publicPem }: DeviceIdentity, accept: boolean): Promise<string> {
    const body = Buffer.from(JSON.stringify({ id_data: identity, pubkey: publicPem }));
    const signature = sign(null, body, privatePem).toString("base64");
    try {
      await this.#server.answer("POST", DEVICE_PATHS.authRequests, body, {
        "content-type": "application/json",
        [SIGNATURE_HEADER]: signature,
      });
    } catch (error) {
      // It is not accepted yet: the answer is no.
      if (!(error instanceof ServerError)) throw error;
    }
    const wanted: unknown = JSON.parse(identity);
    const all = (await this.#server.ask("GET", AUTH_DEVICES)) as KnownDevice[];
    const found = all.find(({ identity_data }) => JSON.stringify(identity_data) === JSON.stringify(wanted));
    if (found === undefined) throw new Error(`the device ${identity} could not be made known`);
    const ids = new Map([["it", found.id]]);
    if (accept) await new RealPeople(this.#server, 0, ids).accept("it");
    return found.id;
  }

  async #upload(content: Uint8Array): Promise<string> {
    const part = (head: string): Buffer =>
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`);
    const body = Buffer.concat([
      part('name="size"'),
      Buffer.from(`${content.length}\r\n`),
      part('name="artifact"; filename="artifact.mender"'),
      content,
      Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
    ]);
    const type = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
    const { location } = await this.#server.answer("POST", ARTIFACTS, body, type);
    return location.split("/").at(-1) ?? "";
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
    const device = (): PlayedDevice => this.device(name);
    return {
      system: this.#options.system,
      server: () => this.#server.url,
      speed: this.speed,
      bad: this.#bad,
      strikes: (kind) => {
        const moment = device().moment(kind);
        const exchange = this.plan.strikes("exchange", moment);
        const server = this.plan.strikes("server", moment);
        for (const { fault } of [...exchange, ...server]) this.history.add({ kind: "fault", device: name, fault });
        return { exchange, server };
      },
      artifactWith: (url, defect) => this.#artifactWith(url, defect),
      killServer: (backAfterMs) => this.#killServer(backAfterMs),
      answered: async (kind, status, request) => {
        device().heard();
        if (kind === "poll") {
          await device().rest();
          device().polled(status);
        }
        const reported = kind === "status" ? reportedIn(request) : undefined;
        this.history.add({
          kind: "exchange",
          device: name,
          request: kind,
          status,
          ...(reported === undefined ? {} : { reported }),
        });
        if (status >= 400) device().failures++;
        await this.notice();
      },
      failed: (kind, fault) => {
        device().failures++;
        this.history.add({ kind: "exchange", device: name, request: kind, fault });
      },
      sent: (bytes, position) => {
        this.history.add({ kind: "bytes", device: name, bytes });
        this.history.add({ kind: "received", device: name, receivedBytes: position });
      },
      broken: (error) => {
        device().failures++;
        // A server that is down refuses connections: that is a part of the story.
        if (this.#server.up && !isConnectionError(error)) this.#broken ??= error;
      },
    };
  }

  async #artifactWith(url: string, defect: Defect): Promise<Uint8Array | undefined> {
    for (const [id, place] of this.#places) if (url.includes(id)) return await this.#artifacts.get(place, defect);
    return undefined;
  }

  #programFaults(
    device: string,
    kind: "module_" | "script_",
    what: string,
    about: (value: string) => boolean,
  ): string[] {
    const known = this.devices.get(device);
    if (known === undefined) return [];
    if (kind === "module_") this.history.add({ kind: "module", device, call: what });
    const strikes = this.plan.strikes(
      "program",
      known.moment(),
      (one: Strike<"program">) => one.fault.startsWith(kind) && about(one.value),
    );
    for (const { fault, value } of strikes) this.history.add({ kind: "fault", device, fault: `${fault} ${value}` });
    return strikes.map(({ fault }) => fault.slice(kind.length));
  }

  async atServer(action: (people: People) => Promise<void>): Promise<void> {
    await action(this.#people);
    await this.notice();
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

  /** Take notice of what has changed at the server. One after the other. */
  notice(): Promise<void> {
    this.#noticing = this.#noticing.then(() => this.#notice());
    return this.#noticing;
  }

  async #notice(): Promise<void> {
    if (!this.#server.up) return;
    try {
      for (const [name, id] of this.#people.deploymentIds) await this.#noticeDeployment(name, id);
    } catch (error) {
      if (this.#server.up && !isConnectionError(error)) this.#broken ??= error;
    }
  }

  async #noticeDeployment(deployment: string, id: string): Promise<void> {
    const known = this.#known.get(deployment) ?? { status: undefined, devices: new Map(), logs: new Set<string>() };
    this.#known.set(deployment, known);
    const devices = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}/devices?per_page=500`)) as {
      id: string;
      status: DeviceDeploymentStatus;
      log: boolean;
    }[];
    const { status } = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}`)) as { status: DeploymentStatus };
    for (const one of devices) {
      const name = [...this.#deviceIds].find(([, known]) => known === one.id)?.[0];
      const device = name === undefined ? undefined : this.devices.get(name);
      if (device === undefined) continue;
      if (known.devices.get(device.name) !== one.status) {
        known.devices.set(device.name, one.status);
        device.status = one.status;
        device.deployment = deployment;
        this.history.add({ kind: "status", device: device.name, deployment, status: one.status });
      }
      if (one.log && !known.logs.has(one.id)) {
        known.logs.add(one.id);
        await this.#noticeLog(device.name, deployment, `${DEPLOYMENTS}/${id}/devices/${one.id}/log`);
      }
    }
    if (known.status !== status) {
      known.status = status;
      this.history.add({ kind: "deployment", deployment, status });
    }
  }

  async #noticeLog(device: string, deployment: string, path: string): Promise<void> {
    const { text } = await this.#server.answer("GET", path);
    const messages: LogMessage[] = text
      .split("\n")
      .filter((line) => line !== "")
      .map((message) => ({ timestamp: "", level: "", message }));
    this.history.add({ kind: "log", device, deployment, messages });
  }

  async deployment(name: string) {
    const id = this.#people.deploymentIds.get(name);
    if (id === undefined) return undefined;
    const { status } = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}`)) as { status: DeploymentStatus };
    const statistics = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}/statistics`)) as Partial<
      Record<DeviceDeploymentStatus, number>
    >;
    return { status, statistics };
  }

  /** Everything is settled: nobody does anything that time could not go on over. */
  isSettled(quietMs: number): boolean {
    return [...this.devices.values()].every((device) => device.isSettled(quietMs));
  }

  async close(): Promise<void> {
    for (const device of this.devices.values()) await device.close();
    for (const proxy of this.#proxies) await proxy.close();
    await this.#hub?.close();
    await this.#bad.close();
    await this.#server.kill();
  }
}

function reportedIn({ body }: CarriedRequest): string | undefined {
  try {
    return StatusReport.safeParse(JSON.parse(body.toString("utf8"))).data?.status;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED"].includes(code);
}
