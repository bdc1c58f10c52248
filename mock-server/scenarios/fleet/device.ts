import type { Logger } from "@upkeep/shared/logging";
import type { DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import type { Clock, Processes, Timers } from "@upkeep/shared/system";
import { SystemError } from "@upkeep/shared/system";
import { Daemon, DeviceClient, Downloads, type HttpClient, Login, Notifier, Servers } from "upkeep";
import { Chance } from "../simulation/chance.ts";
import { drawn, drawnName } from "./distributions.ts";
import { LightEngine } from "./engine.ts";
import type { DeviceActivity, FleetFigures } from "./figures.ts";
import { seededKey } from "./keys.ts";
import type { FleetPlan } from "./plan.ts";

/** Defaults of the agent's configuration. */
const DOWNLOAD_TRIES_MAX = 10;
const SERVER_AVOIDED_MS = 900_000;
const LEAP_BYTES_MIN = 32 * 1024;

/** A virtual device runs no programs and hears no signals. */
const NO_PROCESSES: Processes = {
  start: () => Promise.reject(new SystemError("ENOSYS", "a virtual device runs no programs")),
  onSignal: () => () => undefined,
};

/** What all devices of a fleet share. */
export interface FleetParts {
  readonly plan: FleetPlan;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly http: HttpClient;
  readonly figures: FleetFigures;
  readonly log: Logger;
}

/** Who the `number`th device of the fleet (from 1) says it is: the JSON text that goes into the request. */
export function identityOf(seed: string, number: number): string {
  const digits = number.toString(16).padStart(8, "0").match(/../g) ?? [];
  return JSON.stringify({ fleet: seed, mac: ["02", "00", ...digits].join(":") });
}

/** The key with which it proves that. */
export function keyOf(seed: string, number: number): ReturnType<typeof seededKey> {
  return seededKey(`${seed}/${number}`);
}

/** One device: the agent's daemon and protocol client, over a light engine. */
export class VirtualDevice {
  readonly #daemon: Daemon;
  readonly #figures: FleetFigures;
  #activity: DeviceActivity = "outside";

  constructor(parts: FleetParts, number: number) {
    const { plan, http, figures, log, clock, timers } = parts;
    this.#figures = figures;
    const random = new Chance(`${plan.seed}/${number}`);
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
    const login = new Login(http, {
      tenantToken: plan.tenantToken,
      tier: "standard",
      key: keyOf(plan.seed, number),
      readIdentity: async () => identityOf(plan.seed, number),
    });
    const client = new DeviceClient(http, login, downloads, new Servers([plan.server], clock, SERVER_AVOIDED_MS));
    const moves = (to: DeviceActivity): void => this.#moves(to);
    const provides: DeviceProvides = { device_type: deviceType, artifact_name: plan.artifactName };
    const engine = new LightEngine({ system, client, plan, retries, figures, provides, moves });
    figures.moves("outside");
    this.#daemon = new Daemon({
      system,
      server: {
        poll: async (asked, signal) => {
          const answer = await client.poll(asked, signal);
          if (this.#activity === "outside") this.#moves("idle");
          return answer;
        },
        sendInventory: (attributes, signal) => client.sendInventory(attributes, signal),
        get hasInventory() {
          return client.hasInventory;
        },
      },
      engine,
      provides: async () => engine.provides,
      inventory: async () => inventoryOf(plan.seed, engine.provides, number),
      polls: { intervalMs: drawn(plan.pollMs, random), jitter: plan.jitter, backoff: retries },
      inventories: { intervalMs: drawn(plan.inventoryMs, random), jitter: plan.jitter, backoff: retries },
      firstDelayMs: plan.startMs * random.fraction(),
      notifier: new Notifier(system, {}, log),
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
