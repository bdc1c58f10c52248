import { given } from "@upkeep/shared/given";
import { createLogger } from "@upkeep/shared/logging";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { HttpRequest } from "@upkeep/shared/system";
import {
  hitsProgram,
  type Interruption,
  type ProgramEffect,
  type ProgramTrouble,
} from "../../faults/effects/machine.ts";
import { effectOf, type FaultPlan, type LeftBehind, type Moment, type Strike } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import type { SeededRandom } from "../../system/seeded-random.ts";
import { SoftwareSettings } from "../file/index.ts";
import type { ExchangeOutcome, History } from "../run/events.ts";
import { Recurrences } from "../run/recurrences.ts";
import {
  BOOT_LOADER_TOOLS,
  type BootEnd,
  type DoorCall,
  type MainProgram,
  type Programs,
  readRootImage,
  SimulatedMachine,
  type Survival,
  type Trace,
  type VirtualTime,
} from "../simulation/index.ts";
import { type AgentWraps, agentProgram } from "./agent.ts";
import { diskError, freeBytesOf, touchesDisk } from "./disk-faults.ts";
import {
  bootLoaderOf,
  CURRENT,
  configure,
  environmentOf,
  type FactorySettings,
  factoryDisk,
  IDENTITY_PROGRAM,
  INVENTORY_PROGRAM,
  isOfSystemd,
  MODULE_PROGRAM,
  PROXY_URL,
  SCRIPT_PROGRAM,
  SERVER_URL,
  STORE_FILE,
  SYSTEMD_TOOLS,
  writeUptime,
} from "./factory.ts";
import { moduleProgram, troubles } from "./module.ts";
import { type UpdateMoment, UpdateMoments } from "./moments.ts";
import { DeviceNetwork, type NetworkPort } from "./network.ts";
import { isInterruptionAt, survivalOf, whyOf } from "./power.ts";
import { changeSeed, readsSeed } from "./seed-faults.ts";

const BOOT_MS = 20_000;
const SERVICE_RESTART_MS = 5000;
const CHUNK_BYTES = 64 * 1024;
/** Agents that are started again and again have given up. */
const RESTARTS_MAX = 500;

export interface DeviceParts extends FactorySettings {
  readonly name: string;
  readonly identity: string;
  readonly time: VirtualTime;
  readonly chance: SeededRandom;
  readonly startMs: number;
  readonly plan: FaultPlan;
  readonly history: History;
  /** The release of a deployment. */
  releaseOf(deployment: string | undefined): string | undefined;
  /** Some software of the scenario brings settings of its own. */
  readonly bringsSettings: boolean;
  readonly trace: Trace;
  readonly wraps: AgentWraps;
  readonly network: Pick<NetworkPort, "ask" | "artifactWith" | "killServer" | "signsOf" | "certificate"> & {
    answered(
      device: string,
      request: HttpRequest,
      kind: RequestKind,
      outcome: ExchangeOutcome | undefined,
    ): Promise<void>;
  };
}

/** The parts of the agent's store that a scenario reads. */
interface AgentStore {
  readonly provides: Readonly<Record<string, string>> | null;
  readonly update: { readonly outcome: string | null } | null;
}

/** One device of a scenario: a machine with the true agent on it. */
export class SimulatedDevice {
  readonly name: string;
  readonly identity: string;
  readonly machine: SimulatedMachine;
  /** The status that its deployment has at the server. */
  status: DeviceDeploymentStatus | undefined;
  /** Which one that is. */
  deployment: string | undefined;
  inventory: Readonly<Record<string, string | number | readonly string[]>>;
  readonly #parts: DeviceParts;
  readonly #moments: UpdateMoments;
  readonly #recurrences: Recurrences;
  readonly #seedChance: SeededRandom;
  #runs: string | undefined;
  #booted: string | undefined;
  #there: string | undefined;
  /** The settings of the software that runs. */
  #settings: SoftwareSettings = {};
  #failedBoots = 0;
  #bootedMs = 0;
  #outageMs = BOOT_MS;
  #isOff = false;
  #switchOn: () => void = () => undefined;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.identity = parts.identity;
    this.#seedChance = parts.chance.fork("seeds");
    this.inventory = parts.row.inventory;
    this.#moments = new UpdateMoments((moment) => this.#reached(moment));
    this.#recurrences = new Recurrences({
      plan: parts.plan,
      after: (delayMs, action) => parts.time.after(delayMs, action),
      moment: () => this.#moment(),
      interrupt: (strike, effect) => this.#interrupt(strike, effect, "again"),
    });
    parts.plan.watch(() => {
      if (this.machine.up) this.#recurrences.begin();
    });
    const network = this.#network();
    const { time, chance, startMs, trace, row } = parts;
    this.machine = new SimulatedMachine({
      name: this.name,
      time,
      chance,
      trace,
      disk: factoryDisk(parts),
      wallClockMs: startMs,
      chunkBytes: CHUNK_BYTES,
      programs: this.#programs(),
      peer: network.peer,
      weather: network.weather,
      ...(row.module.kind === "slots" ? { bootLoader: bootLoaderOf(parts, (_, isNew) => this.#crashes(isNew)) } : {}),
      environment: environmentOf(row),
      power: this.#powerManners(),
      observer: {
        before: (call) => this.#moments.before(call),
        after: (call) => {
          this.#moments.after(call);
          this.#changeSeed(call);
        },
        fault: (call) => {
          if (!touchesDisk(call)) return undefined;
          const [strike] = parts.plan.strikes("disk", this.#moment(), (one) =>
            effectOf<"disk">(one).calls.has(call.name),
          );
          if (strike === undefined) return undefined;
          this.#happened({ kind: "fault", device: this.name, fault: strike.fault });
          return diskError(effectOf<"disk">(strike), call);
        },
        freeBytes: (path, bytes) => freeBytesOf(parts.plan, this.#moment(), path, bytes),
      },
    });
  }

  /** The agent's state while it updates. */
  get state() {
    return this.#moments.state;
  }

  /** The installed software; both names if the agent reports another one. */
  get software(): string {
    const says = this.provides.artifact_name ?? "nothing";
    const there = this.#there ?? "nothing that is whole";
    return there === says ? there : `${there}, and the agent says ${says}`;
  }

  get provides(): Readonly<Record<string, string>> {
    return this.#store?.provides ?? {};
  }

  /** An update has begun and has no outcome yet, as when the agent stops for a reboot. */
  get #isUndecided(): boolean {
    return this.#store?.update?.outcome === null;
  }

  get #store(): AgentStore | undefined {
    const node = this.machine.disk.find(STORE_FILE);
    if (node?.kind !== "file") return undefined;
    return JSON.parse(new TextDecoder().decode(node.content.bytes)) as AgentStore;
  }

  /** Runs until the end of the world. */
  async live(): Promise<void> {
    const { row } = this.#parts;
    if (row.switched_on > 0) await this.#pass(row.switched_on);
    const agent = agentProgram({
      log: this.#log(),
      onProgress: (event) => {
        this.#moments.progress(event);
        if (event.kind === "state") this.#happened({ kind: "state", device: this.name, state: event.state });
        else this.#happened({ kind: "received", device: this.name, receivedBytes: event.receivedBytes });
      },
      onRest: (isOver) => this.#rest(isOver),
      wraps: this.#parts.wraps,
      byTimer: row.agent === "timer",
    });
    const program: MainProgram = (machine, boot) => {
      if (this.#parts.bringsSettings) {
        this.#look();
        configure(this.machine.disk, row, this.#settings);
      }
      // An agent that an operator starts polls at once, and scenarios name instants.
      if (isOfSystemd(row)) writeUptime(this.machine.disk, this.#parts.time.nowMs - this.#bootedMs);
      return agent(machine, boot);
    };
    for (let restarts = 0, warm = false; restarts < RESTARTS_MAX; ) {
      const end: BootEnd = await (warm ? this.machine.restart(program) : this.#boot(program));
      this.#moments.forget();
      if (!this.machine.up) this.#recurrences.end();
      warm = end.kind === "killed" || end.kind === "threw" || end.kind === "returned";
      this.#happened({ kind: "down", device: this.name, why: whyOf(end) });
      if (end.kind === "brick") return;
      if (warm) restarts++;
      await this.#pass(warm ? SERVICE_RESTART_MS : this.#outageMs);
      this.#outageMs = BOOT_MS;
      // The power may have been cut meanwhile.
      if (!this.machine.up) warm = false;
      while (this.#isOff)
        await new Promise<void>((resolve) => {
          this.#switchOn = resolve;
        });
    }
    this.#happened({ kind: "down", device: this.name, why: `the agent ended ${RESTARTS_MAX} times` });
  }

  /** Cuts the power. @param forMs Until the power is back; booting takes its time after that. */
  cutPower(leaves: LeftBehind | undefined, forMs: number): void {
    if (!this.machine.up) return;
    this.#outageMs = forMs + BOOT_MS;
    this.#recurrences.end();
    this.machine.cutPower(this.#survival(leaves));
    this.#moments.forget();
  }

  switchOff(): void {
    this.#isOff = true;
    this.cutPower(undefined, 0);
  }

  switchOn(): void {
    this.#isOff = false;
    this.#switchOn();
  }

  killAgent(): void {
    this.machine.killProgram();
  }

  #boot(program: Parameters<SimulatedMachine["boot"]>[0]): Promise<BootEnd> {
    this.#bootedMs = this.#parts.time.nowMs;
    const end = this.machine.boot(program);
    this.#recurrences.begin();
    this.#booted = this.machine.slot?.software;
    const software = this.#look();
    this.#happened({ kind: "boot", device: this.name, ...given({ software }) });
    return end;
  }

  /** Reads the installed software from the disk. Called whenever it may have changed. */
  #look(): string | undefined {
    const node = this.#parts.row.module.kind === "slots" ? undefined : this.machine.disk.find(CURRENT);
    const image = node?.kind === "file" ? readRootImage(node.content.bytes) : this.machine.slot;
    this.#there = node?.kind === "file" ? image?.software : this.#booted;
    this.#settings = image?.carries === undefined ? {} : SoftwareSettings.parse(image.carries);
    return this.#there;
  }

  /** The agent has come to rest: if the update is over, what is installed now is installed. */
  #rest(isOver: boolean): void {
    const had = this.#moments.state;
    this.#moments.leave();
    if (had !== undefined) this.#happened({ kind: "state", device: this.name, state: undefined });
    if (!isOver || !this.machine.running) return;
    if (had !== undefined) this.#look();
    if (this.#isUndecided) return;
    const { software } = this;
    if (software === this.#runs) return;
    this.#runs = software;
    this.#recurrences.begin();
    this.#happened({ kind: "runs", device: this.name, software });
  }

  #moment(request?: RequestKind): Moment {
    const look = (): string | undefined => this.#look();
    const { time } = this.#parts;
    return {
      device: this.name,
      atMs: time.nowMs,
      state: this.#moments.state,
      status: this.status,
      ...given({ request, release: this.#parts.releaseOf(this.deployment) }),
      get software() {
        return look();
      },
    };
  }

  /** A moment of an update has come: does the scenario do something to the machine now? */
  #reached(moment: UpdateMoment): void {
    const [strike] = this.#parts.plan.strikes("power", this.#moment(), (one) =>
      isInterruptionAt(effectOf<"power">(one), moment),
    );
    if (strike === undefined) return;
    const effect = effectOf<"power">(strike);
    if (effect.kind !== "interruption") return;
    this.#interrupt(
      strike,
      effect,
      "step" in moment ? `${moment.when} ${moment.step}` : `${moment.when} ${moment.state}`,
    );
  }

  #interrupt(strike: Strike<"power">, effect: Interruption, when: string): void {
    if (!this.machine.up) return;
    this.#happened({ kind: "fault", device: this.name, fault: `${strike.fault} ${when}` });
    if (effect.does === "kill") this.killAgent();
    else this.cutPower(effect.leaves, effect.offMs);
  }

  #survival(leaves: LeftBehind | undefined): Survival {
    const { chance } = this.#parts;
    const torn = this.#powerIs("torn-writes");
    return survivalOf(leaves ?? (torn ? "torn" : "nothing"), chance);
  }

  #changeSeed(call: DoorCall): void {
    if (!readsSeed(call, this.machine)) return;
    for (const strike of this.#parts.plan.strikes("seed", this.#moment()))
      changeSeed(this.machine, call.subject, effectOf<"seed">(strike), this.#seedChance);
  }

  #powerManners() {
    const ignores = (): boolean => this.#powerIs("ignored-reboot");
    return {
      get ignores(): boolean {
        return ignores();
      },
    };
  }

  #powerIs(kind: "torn-writes" | "ignored-reboot"): boolean {
    const { plan } = this.#parts;
    return plan.strikes("power", this.#moment(), (one) => effectOf<"power">(one).kind === kind).length > 0;
  }

  #crashes(isNew: boolean): boolean {
    if (!isNew) return false;
    const [strike] = this.#parts.plan.standing("boot", this.#moment());
    if (strike === undefined || this.#failedBoots >= effectOf<"boot">(strike).failures) return false;
    this.#failedBoots++;
    this.#happened({ kind: "fault", device: this.name, fault: "boot_failure" });
    return true;
  }

  #log() {
    return createLogger({
      level: "info",
      format: "journal",
      now: () => this.machine.wallMs,
      write: (line) => this.#happened({ kind: "line", device: this.name, line: line.trimEnd().replace(/^<\d>/, "") }),
    });
  }

  #network(): DeviceNetwork {
    const { plan, startMs, chance, network, history, row, bringsSettings } = this.#parts;
    const { name } = this;
    return new DeviceNetwork({
      random: chance.fork("network"),
      startMs,
      wallMs: () => this.machine.wallMs,
      ask: network.ask,
      artifactWith: network.artifactWith,
      killServer: network.killServer,
      signsOf: network.signsOf,
      origin: SERVER_URL,
      ...(row.proxy ? { proxy: PROXY_URL } : {}),
      certificate: network.certificate,
      trusts: () => {
        if (bringsSettings) this.#look();
        return this.#settings.trusts ?? row.trusts;
      },
      strikes: (kind) => {
        const strikes = plan.strikes("exchange", this.#moment(kind));
        for (const { fault } of strikes) history.add({ kind: "fault", device: name, fault });
        return strikes;
      },
      answered: (request, kind, outcome) => network.answered(name, request, kind, outcome),
      failed: (request, fault) => history.add({ kind: "exchange", device: name, request, fault }),
      arrived: (bytes) => history.add({ kind: "bytes", device: name, bytes }),
    });
  }

  #programs(): Programs {
    const { row } = this.#parts;
    const module = moduleProgram(row.module, {
      begins: (call) => {
        this.#happened({ kind: "module", device: this.name, call });
        return this.#programTroubles("module", call);
      },
      midway: (call) => this.#moments.midway(call),
    });
    return {
      ...BOOT_LOADER_TOOLS,
      ...SYSTEMD_TOOLS,
      [MODULE_PROGRAM]: ({ args: [, ...args], ...context }) => module({ ...context, args }),
      [SCRIPT_PROGRAM]: async ({ args: [code = "0", path = ""], ...context }) => {
        const script = path.slice(path.lastIndexOf("/") + 1);
        const faults = this.#programTroubles("script", script);
        await troubles(context, faults);
        if (faults.has("retries")) return 21;
        return faults.has("fails") ? 1 : Number(code);
      },
      [IDENTITY_PROGRAM]: async ({ stdout }) => {
        for (const [key, value] of Object.entries(JSON.parse(this.identity) as Record<string, string>))
          stdout(`${key}=${value}\n`);
        return 0;
      },
      [INVENTORY_PROGRAM]: async ({ stdout }) => {
        for (const [key, value] of Object.entries(this.inventory))
          for (const one of [value].flat()) stdout(`${key}=${one}\n`);
        return 0;
      },
    };
  }

  #programTroubles(program: ProgramEffect["program"], name: string): ReadonlySet<ProgramTrouble> {
    const strikes = this.#parts.plan.strikes("program", this.#moment(), (one) =>
      hitsProgram(effectOf<"program">(one), program, name),
    );
    for (const { fault, value } of strikes)
      this.#happened({ kind: "fault", device: this.name, fault: `${fault} ${value}` });
    return new Set(strikes.map((strike) => effectOf<"program">(strike).trouble));
  }

  #pass(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.time.after(delayMs, resolve);
    });
  }

  #happened(event: Parameters<History["add"]>[0]): void {
    this.#parts.history.add(event);
  }
}
