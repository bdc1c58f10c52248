import type { Logger } from "@upkeep/shared/logging";
import type { DeploymentInstructions, DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import type { Clock, Timers } from "@upkeep/shared/system";
import {
  type Credentials,
  Daemon,
  type DaemonServer,
  DeviceClient,
  Downloads,
  type HttpClient,
  Login,
  type Notifier,
  Servers,
} from "upkeep/index.ts";
import { SeededRandom } from "../../system/seeded-random.ts";
import { SeededKey } from "../seeded-key.ts";
import { drawn, drawnName } from "./distributions.ts";
import { LightEngine } from "./engine.ts";
import type { DeviceActivity, FleetFigures } from "./figures.ts";
import { NO_PROCESSES } from "./no-processes.ts";
import type { FleetPlan } from "./plan.ts";

/** Defaults of the agent's configuration. */
const DOWNLOAD_TRIES_MAX = 10;
const SERVER_AVOIDED_MS = 900_000;
const LEAP_BYTES_MIN = 32 * 1024;

/** What all devices of a fleet share. */
export interface FleetParts {
  readonly plan: FleetPlan;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly http: HttpClient;
  /** No listener. */
  readonly notifier: Notifier;
  readonly figures: FleetFigures;
  readonly log: Logger;
}

/** The identity of the `number`th device of the fleet, from 1: the JSON text that goes into the request. */
export function identityOf(seed: string, number: number): string {
  const digits = number.toString(16).padStart(8, "0").match(/../g) ?? [];
  return JSON.stringify({ fleet: seed, mac: ["02", "00", ...digits].join(":") });
}

/** The key that this device signs with. */
export function keyOf(seed: string, number: number): SeededKey {
  return new SeededKey(`upkeep virtual device ${seed}/${number}`);
}

/** What a device says when it asks to be let in. */
class VirtualCredentials implements Credentials {
  readonly key: SeededKey;
  readonly tenantToken: string;
  readonly #seed: string;
  readonly #number: number;

  constructor({ seed, tenantToken }: FleetPlan, number: number) {
    this.key = keyOf(seed, number);
    this.tenantToken = tenantToken;
    this.#seed = seed;
    this.#number = number;
  }

  get tier(): string {
    return "standard";
  }

  async readIdentity(): Promise<string> {
    return identityOf(this.#seed, this.#number);
  }
}

/**
 * One device: the agent's daemon and protocol client, over a light engine. There are a hundred thousand of them: what
 * each has for itself is little.
 */
export class VirtualDevice implements DaemonServer {
  readonly #daemon: Daemon;
  readonly #client: DeviceClient;
  readonly #figures: FleetFigures;
  #activity: DeviceActivity = "outside";

  constructor(parts: FleetParts, number: number) {
    const { plan, http, figures, notifier, log, clock, timers } = parts;
    this.#figures = figures;
    const random = new SeededRandom(`${plan.seed}/${number}`);
    const system = { clock, timers, random, processes: NO_PROCESSES };
    const deviceType = drawnName(plan.types, random);
    const retries = { longestMs: plan.retryMs, count: 0 };
    const downloadSettings = {
      triesMax: DOWNLOAD_TRIES_MAX,
      pauseMsMax: plan.retryMs,
      bytesPerSecondMax: Math.round(drawn(plan.speed, random)),
      leapBytesMin: LEAP_BYTES_MIN,
    };
    const downloads = new Downloads(system, http, downloadSettings, log);
    const login = new Login(http, new VirtualCredentials(plan, number));
    const client = new DeviceClient(http, login, downloads, new Servers([plan.server], clock, SERVER_AVOIDED_MS));
    this.#client = client;
    const moves = (to: DeviceActivity): void => this.#moves(to);
    const provides: DeviceProvides = { device_type: deviceType, artifact_name: plan.artifactName };
    const engine = new LightEngine({ system, client, plan, retries, figures, provides, moves });
    figures.moves("outside");
    this.#daemon = new Daemon({
      system,
      server: this,
      engine,
      provides: async () => engine.provides,
      inventory: async () => inventoryOf(plan.seed, engine.provides, number),
      polls: { intervalMs: drawn(plan.pollMs, random), jitter: plan.jitter, backoff: retries },
      inventories: { intervalMs: drawn(plan.inventoryMs, random), jitter: plan.jitter, backoff: retries },
      firstDelayMs: plan.startMs * random.fraction(),
      notifier,
      log,
    });
  }

  /** Resolves after {@link stop}, when what was under way has come to rest. */
  run(): Promise<void> {
    return this.#daemon.run();
  }

  stop(): void {
    this.#daemon.stop();
  }

  async poll(provides: DeviceProvides, signal?: AbortSignal): Promise<DeploymentInstructions | undefined> {
    const answer = await this.#client.poll(provides, signal);
    if (this.#activity === "outside") this.#moves("idle");
    return answer;
  }

  sendInventory(attributes: readonly InventoryAttribute[], signal?: AbortSignal): Promise<boolean> {
    return this.#client.sendInventory(attributes, signal);
  }

  get hasInventory(): boolean {
    return this.#client.hasInventory;
  }

  #moves(to: DeviceActivity): void {
    this.#figures.moves(to, this.#activity);
    this.#activity = to;
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
