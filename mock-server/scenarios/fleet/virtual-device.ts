import type { Logger } from "@upkeep/shared/logging";
import type { DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import {
  type AgentConfig,
  type AgentParts,
  type ComposedDaemon,
  composeDaemon,
  type DeviceKey,
  type Http,
  type MadePart,
  PartMaker,
  type Replacements,
  settingsFrom,
  systemPaths,
} from "upkeep/index.ts";
import { SeededRandom } from "../../system/seeded-random.ts";
import { SeededKey } from "../seeded-key.ts";
import { drawn, drawnName } from "./distributions.ts";
import type { FleetFigures } from "./figures.ts";
import { FleetBoard } from "./fleet-board.ts";
import { LightEngine } from "./light-engine.ts";
import { MemoryStore } from "./memory-store.ts";
import type { FleetPlan } from "./plan.ts";
import { type SharedDoor, VirtualDoor } from "./virtual-door.ts";

/** What all devices of a fleet share. */
export interface FleetParts {
  readonly plan: FleetPlan;
  readonly door: SharedDoor;
  readonly config: AgentConfig;
  readonly http: Http;
  readonly keyOf: (seed: string, number: number) => DeviceKey;
  readonly figures: FleetFigures;
  readonly log: Logger;
  /** Parts of the first device, which serve all: without maintenance windows and systemd these have no state. */
  readonly common: { windows?: Promise<AgentParts["windows"]>; notifier?: Promise<AgentParts["notifier"]> };
}

/** The identity of the `number`th device of the fleet (from 1): the JSON text that goes into the request. */
export function identityOf(seed: string, number: number): string {
  const digits = number.toString(16).padStart(8, "0").match(/../g) ?? [];
  return JSON.stringify({ fleet: seed, mac: ["02", "00", ...digits].join(":") });
}

/** The key with which it signs its authorization requests. */
export function keyOf(seed: string, number: number): DeviceKey {
  return new SeededKey(`upkeep virtual device ${seed}/${number}`);
}

/** The configuration of all devices of a fleet. */
export function fleetConfig({ server, tenantToken, jitter, retryMs }: FleetPlan): AgentConfig {
  return {
    ...settingsFrom({ ServerURL: server, TenantToken: tenantToken }),
    pollJitter: jitter,
    retryPollIntervalMs: retryMs,
  };
}

const PATHS = systemPaths({});
const ENVIRONMENT = {};
const NO_WARNINGS: readonly string[] = [];
const noScripts = async (): Promise<void> => undefined;

/** What a device draws from the plan, in this order. */
interface Drawn {
  readonly deviceType: string;
  readonly bytesPerSecond: number;
  readonly pollMs: number;
  readonly inventoryMs: number;
  readonly firstPollDelayMs: number;
}

function draw({ types, speed, pollMs, inventoryMs, startMs }: FleetPlan, random: SeededRandom): Drawn {
  return {
    deviceType: drawnName(types, random),
    bytesPerSecond: Math.round(drawn(speed, random)),
    pollMs: drawn(pollMs, random),
    inventoryMs: drawn(inventoryMs, random),
    firstPollDelayMs: startMs * random.fraction(),
  };
}

type Settings = AgentParts["downloadSettings"];
type Schedules = AgentParts["schedules"];

/**
 * What a virtual device has instead of the parts of a real one. Methods, not closures: a process holds up to a hundred
 * thousand of them.
 */
class VirtualParts implements Replacements {
  readonly #shared: FleetParts;
  readonly #door: VirtualDoor;
  readonly #number: number;
  readonly #drawn: Drawn;

  constructor(shared: FleetParts, door: VirtualDoor, number: number, drawn: Drawn) {
    this.#shared = shared;
    this.#door = door;
    this.#number = number;
    this.#drawn = drawn;
  }

  /** A virtual device has no data directory. */
  store(): MemoryStore {
    return new MemoryStore(this.#shared.plan.artifactName);
  }

  deviceType(): AgentParts["deviceType"] {
    return async () => this.#drawn.deviceType;
  }

  key(): AgentParts["key"] {
    return this.#shared.keyOf(this.#shared.plan.seed, this.#number);
  }

  // It runs no programs.

  identity(): AgentParts["identity"] {
    return async () => identityOf(this.#shared.plan.seed, this.#number);
  }

  inventory(_: unknown, made: MadePart): AgentParts["inventory"] {
    const provides = made("provides");
    return async () => inventoryOf(this.#shared.plan.seed, await provides(), this.#number);
  }

  /** Installs nothing. */
  engine(_: unknown, made: MadePart): LightEngine {
    const { plan, figures } = this.#shared;
    const board = made("statusBoard") as FleetBoard;
    const [server, store] = [made("server"), made("store")];
    return new LightEngine({ system: this.#door, plan, figures, server, store, board });
  }

  windows(make: () => Promise<AgentParts["windows"]>): Promise<AgentParts["windows"]> {
    const { common } = this.#shared;
    common.windows ??= make();
    return common.windows;
  }

  notifier(make: () => Promise<AgentParts["notifier"]>): Promise<AgentParts["notifier"]> {
    const { common } = this.#shared;
    common.notifier ??= make();
    return common.notifier;
  }

  stateScripts(): AgentParts["stateScripts"] {
    return noScripts;
  }

  /** Counts for the fleet's figures, in place of a file for each device. */
  statusBoard(): FleetBoard {
    return new FleetBoard(this.#shared.figures);
  }

  /** One pool of connections: a host runs out of ports before it runs out of devices. */
  http(): Http {
    return this.#shared.http;
  }

  // Each device draws its own times and its own speed, over one configuration for all.

  async downloadSettings(make: () => Promise<Settings>): Promise<Settings> {
    return { ...(await make()), bytesPerSecondMax: this.#drawn.bytesPerSecond };
  }

  async schedules(make: () => Promise<Schedules>): Promise<Schedules> {
    const { polls, inventories } = await make();
    const { pollMs, inventoryMs } = this.#drawn;
    return { polls: { ...polls, intervalMs: pollMs }, inventories: { ...inventories, intervalMs: inventoryMs } };
  }

  firstPollDelayMs(): number {
    return this.#drawn.firstPollDelayMs;
  }
}

/** One device of a fleet: the daemon that the agent's command line runs, on a door without disk and programs. */
export class VirtualDevice {
  readonly #parts: FleetParts;
  readonly #number: number;
  readonly #door: VirtualDoor;

  constructor(parts: FleetParts, number: number) {
    this.#parts = parts;
    this.#number = number;
    this.#door = new VirtualDoor(parts.door, new SeededRandom(`${parts.plan.seed}/${number}`));
    parts.figures.moves("outside");
  }

  /**
   * Resolves after {@link stop}, when its current request or update has ended. Not async: an async function holds memory
   * while it waits.
   */
  run(): Promise<unknown> {
    return this.#compose().then(({ daemon }) => daemon.run());
  }

  /**
   * Composes the agent's daemon, with nothing around it: no data directory to lock, nothing to set up, and no signal to
   * read a configuration again.
   */
  async #compose(): Promise<ComposedDaemon> {
    const { plan, config, log } = this.#parts;
    const door = this.#door;
    const virtual = new VirtualParts(this.#parts, door, this.#number, draw(plan, door.random));
    const parts = new PartMaker(virtual);
    return await composeDaemon({
      system: door,
      environment: ENVIRONMENT,
      pid: this.#number,
      config,
      paths: PATHS,
      warnings: NO_WARNINGS,
      log,
      parts,
      store: await parts.make("store", () => virtual.store()),
      deviceType: await parts.make("deviceType", () => virtual.deviceType()),
    });
  }

  stop(): void {
    this.#door.processes.terminate();
  }
}

function inventoryOf(seed: string, provides: DeviceProvides, number: number): InventoryAttribute[] {
  return [
    { name: "device_type", value: provides.device_type },
    { name: "artifact_name", value: provides.artifact_name },
    { name: "fleet", value: seed },
    { name: "number", value: number },
    { name: "hostname", value: `virtual-${number}` },
    { name: "mem_total_kB", value: 262_144 },
  ];
}
