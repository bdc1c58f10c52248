import { given } from "@upkeep/shared/given";
import type { HttpRequest } from "@upkeep/shared/system";
import { loadEverything } from "upkeep/index.ts";
import type { ChangeEvent } from "../../domain.ts";
import type { ArtifactDefect } from "../../faults/effects/exchange.ts";
import { FaultPlan, plannedFaults } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import type { RunRound } from "../../housekeeping/housekeeping.ts";
import type { Scenario } from "../file/index.ts";
import { type ExchangeOutcome, type Happening, History } from "../run/events.ts";
import type { NewCertificate } from "../run/stage.ts";
import { takePart } from "../run/taking-part.ts";
import { WrongClocks } from "../run/wrong-clocks.ts";
import { Trace, VirtualTime } from "../simulation/index.ts";
import { Administration } from "./administration.ts";
import type { AgentWraps } from "./agent.ts";
import { SimulatedDevice } from "./device.ts";
import { alikeBytesOf, chanceOf, identitiesOf, type ReadArtifact, ReleaseArtifacts, slotBytesOf } from "./fleet.ts";
import { certificateOf, type ServerCertificate } from "./network.ts";
import { type ServerWraps, SimulatedServer } from "./server.ts";

const EVENTS_MAX = 10_000;
export interface WorldOptions {
  /** Reads the file of an artifact that a scenario names. */
  readonly readArtifact: ReadArtifact;
  /** Parts of agent and server that are exchanged: planted bugs. */
  readonly agent?: AgentWraps;
  readonly server?: ServerWraps;
}

/** A scenario's fleet and its server, in virtual time. */
export class World {
  readonly time: VirtualTime;
  readonly trace = new Trace();
  readonly history: History;
  readonly plan: FaultPlan;
  readonly scenario: Scenario;
  readonly operator: Administration;
  readonly #server: SimulatedServer;
  readonly #artifacts: ReleaseArtifacts;
  readonly #devices = new Map<string, SimulatedDevice>();
  readonly #deviceIds = new Map<string, string>();
  /** Which artifact of the scenario has this id at the server. */
  readonly #places = new Map<string, readonly [release: number, artifact: number]>();
  readonly #openDeployments = new Set<string>();
  #lastEvent = 0;
  #certificate: ServerCertificate;

  private constructor(scenario: Scenario, options: WorldOptions, time: VirtualTime, server: SimulatedServer) {
    this.scenario = scenario;
    const { issuer, until } = scenario.server.certificate;
    this.#certificate = certificateOf(scenario.starts, issuer, until);
    this.time = time;
    this.history = new History(() => time.nowMs);
    this.plan = new FaultPlan(plannedFaults(scenario.faults, scenario.starts), scenario.seed);
    this.#server = server;
    this.#artifacts = new ReleaseArtifacts(scenario, options.readArtifact);
    this.operator = new Administration(server, scenario.starts, this.#deviceIds);
    this.history.watch((event) => this.trace.add(event.atMs, "scenario", JSON.stringify(event)));
  }

  /** Make the fleet, the releases and the server. Nothing runs yet. */
  static async open(scenario: Scenario, options: WorldOptions): Promise<World> {
    await loadEverything();
    const time = new VirtualTime();
    const round: RunRound = async (work) => {
      if (!server.up) return;
      await time.hold(work());
      await time.hold(world.#refresh());
    };
    // Without a limit on silence, the rounds would find nothing in all the virtual time.
    const limitsSilence = scenario.deployments.some(({ silent_after }) => silent_after !== undefined);
    const server = await SimulatedServer.open({
      time,
      random: chanceOf(scenario.seed, "server"),
      startMs: scenario.starts,
      tokenLifeMs: scenario.server.token_life,
      linkLifeMs: scenario.server.link_life,
      adaptive: scenario.server.adaptive,
      housekeeping: limitsSilence ? round : "off",
      wraps: options.server ?? {},
    });
    const world = new World(scenario, options, time, server);
    await world.#prepare(options.agent ?? {});
    return world;
  }

  get devices(): ReadonlyMap<string, SimulatedDevice> {
    return this.#devices;
  }

  device(name: string): SimulatedDevice {
    const device = this.#devices.get(name);
    if (device === undefined) throw new Error(`there is no device ${name}`);
    return device;
  }

  /** Everything begins. */
  start(): void {
    for (const device of this.#devices.values()) void device.live();
  }

  async close(): Promise<void> {
    for (const { machine } of this.#devices.values()) machine.powerOff();
    await this.#server.close();
  }

  /** Kills the server, and starts it again after a while. */
  killServer(backAfterMs: number): void {
    if (!this.#server.up) return;
    this.#server.kill();
    this.history.add({ kind: "action", what: "the server is killed" });
    this.time.after(backAfterMs, () => {
      void this.time.hold(this.#server.start()).then(() => {
        this.history.add({ kind: "action", what: "the server has started again" });
      });
    });
  }

  renewCertificate({ issuer = this.#certificate.issuer, until }: NewCertificate): void {
    this.#certificate = certificateOf(this.scenario.starts, issuer, until);
  }

  jumpServerClock(byMs: number): void {
    this.#server.jumpClock(byMs);
  }

  /** An operator's action, and the recording of its consequences. */
  async atServer(action: (operator: Administration) => Promise<void>): Promise<void> {
    await this.time.hold(action(this.operator));
    await this.time.hold(this.#refresh());
  }

  /** The state of a deployment at the server. */
  async deployment(name: string) {
    const id = this.operator.deploymentId(name);
    if (id === undefined) return undefined;
    const { deployments } = this.#server.domain;
    const [{ status, paused }, statistics] = [await deployments.get(id), await deployments.statistics(id)];
    return { status, ...given({ paused: paused?.reason }), statistics };
  }

  /** Set the wall clocks of devices as the faults have it now. */
  setClocks(): void {
    this.#clocks.set(this);
  }

  readonly #clocks = new WrongClocks();

  async #prepare(agent: AgentWraps): Promise<void> {
    const { scenario, time } = this;
    for (const [release, { artifacts }] of scenario.releases.entries())
      for (const artifact of artifacts.keys()) {
        const content = await this.#artifacts.get([release, artifact]);
        this.#places.set(await this.#server.upload(content), [release, artifact]);
      }
    const slotBytes = slotBytesOf(scenario);
    const alikeBytes = alikeBytesOf(scenario);
    const bringsSettings = scenario.releases.some(({ artifacts }) =>
      artifacts.some(({ config, trusts }) => config !== undefined || trusts !== undefined),
    );
    for (const device of identitiesOf(scenario)) {
      const { name, row, identity, key } = device;
      const id = await this.#server.admit(device, row.accept);
      this.#deviceIds.set(name, id);
      if (row.group !== undefined) await this.operator.moveToGroup(name, row.group);
      this.#devices.set(
        name,
        new SimulatedDevice({
          name,
          row,
          identity,
          deviceKey: key.privatePem,
          verifyKey: this.#artifacts.verifyKey,
          slotBytes,
          alikeBytes,
          time,
          chance: chanceOf(scenario.seed, `device ${name}`),
          startMs: scenario.starts,
          plan: this.plan,
          history: this.history,
          releaseOf: (deployment) => scenario.deployments.find((one) => one.name === deployment)?.release,
          bringsSettings,
          trace: this.trace,
          wraps: agent,
          network: {
            ask: (request) => this.#server.ask(request),
            artifactWith: (url, defect) => this.#artifactWith(url, defect),
            killServer: (backAfterMs) => this.killServer(backAfterMs),
            certificate: () => this.#certificate,
            signsOf: (url) => (this.#server.up ? this.#server.signsOf(url) : undefined),
            answered: (from, request, kind, outcome) => this.#answered(from, request, kind, outcome),
          },
        }),
      );
    }
    await this.#refresh();
  }

  async #artifactWith(url: string, defect: ArtifactDefect): Promise<Uint8Array | undefined> {
    for (const [id, place] of this.#places) if (url.includes(id)) return await this.#artifacts.get(place, defect);
    return undefined;
  }

  /** The server's side of an exchange is over. @param outcome `undefined`: it is recorded already. */
  async #answered(
    device: string,
    request: HttpRequest,
    kind: RequestKind,
    outcome: ExchangeOutcome | undefined,
  ): Promise<void> {
    const reported = kind === "status" ? reportedIn(request.body) : undefined;
    if (outcome !== undefined)
      this.history.add({ kind: "exchange", device, request: kind, ...outcome, ...given({ reported }) });
    // Where no deployment is open, an answer of "nothing" has changed nothing.
    if (kind === "poll" && outcome?.status === 204 && this.#openDeployments.size === 0) return;
    await this.#refresh();
  }

  /** Reads the server's new events. */
  async #refresh(): Promise<void> {
    const { events } = this.#server.domain;
    for (const event of await events.after(this.#lastEvent, EVENTS_MAX)) {
      this.#lastEvent = event.number;
      const happening = await this.#happeningOf(event);
      if (happening === undefined) continue;
      if (happening.kind === "deployment") this.#keepOpen(happening.deployment, happening.status !== "finished");
      if (happening.kind === "status") {
        const device = this.device(happening.device);
        if (device.status === happening.status && device.deployment === happening.deployment) continue;
        takePart(device, happening);
      }
      this.history.add(happening);
    }
  }

  #keepOpen(deployment: string, isOpen: boolean): void {
    if (isOpen) this.#openDeployments.add(deployment);
    else this.#openDeployments.delete(deployment);
  }

  async #happeningOf({ kind, subject, related = "", status }: ChangeEvent): Promise<Happening | undefined> {
    const deployment = this.operator.deploymentName(subject);
    if (deployment === undefined) return undefined;
    if (kind === "deployment") {
      const { paused } = await this.#server.domain.deployments.get(subject);
      return {
        kind,
        deployment,
        status: status as Extract<Happening, { kind: "deployment" }>["status"],
        ...given({ paused: paused?.reason }),
      };
    }
    const device = [...this.#deviceIds].find(([, id]) => id === related)?.[0];
    if (device === undefined) return undefined;
    if (kind === "device_deployment")
      return { kind: "status", device, deployment, status: status as Extract<Happening, { kind: "status" }>["status"] };
    if (kind !== "deployment_log") return undefined;
    return { kind: "log", device, deployment, messages: await this.#server.domain.deployments.log(subject, related) };
  }
}

function reportedIn(body: HttpRequest["body"]): string | undefined {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  try {
    const { status } = JSON.parse(text) as { status?: unknown };
    return typeof status === "string" ? status : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
