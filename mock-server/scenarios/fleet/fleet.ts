import { type AgentConfig, type Http, HttpClient, httpSettings, proxiesFrom, VERSION } from "upkeep/index.ts";
import { FleetFigures, type FleetSnapshot } from "./figures.ts";
import { ObservedNetwork } from "./observed-network.ts";
import type { FleetPlan } from "./plan.ts";
import { troublesLog } from "./troubles-log.ts";
import { fleetConfig, keyOf, VirtualDevice } from "./virtual-device.ts";
import type { SharedDoor } from "./virtual-door.ts";

/** What a fleet may have instead of the agent's own parts, if its server goes along with that. */
export interface LighterParts {
  readonly http?: (door: SharedDoor) => Http;
  readonly keyOf?: typeof keyOf;
}

function httpOf(door: SharedDoor, { tls }: FleetPlan, config: AgentConfig): HttpClient {
  const version = `${VERSION} (virtual)`;
  return new HttpClient(door, { tls, proxies: proxiesFrom({}), ...httpSettings(config), version });
}

/** Virtual devices on one door. */
export class Fleet {
  readonly #figures = new FleetFigures();
  readonly #devices: VirtualDevice[];
  #running: Promise<unknown> | undefined;

  constructor({ clock, timers, network }: SharedDoor, plan: FleetPlan, lighter: LighterParts = {}) {
    const observed = new ObservedNetwork(network, clock, this.#figures);
    const door = { clock, timers, network: observed };
    const config = fleetConfig(plan);
    const http = lighter.http?.(door) ?? httpOf(door, plan, config);
    const log = troublesLog(this.#figures);
    const parts = { plan, door, config, http, keyOf: lighter.keyOf ?? keyOf, figures: this.#figures, log, common: {} };
    this.#devices = Array.from({ length: plan.devices }, (_, index) => new VirtualDevice(parts, index + 1));
  }

  start(): void {
    this.#running = Promise.all(this.#devices.map((device) => device.run()));
  }

  snapshot(): FleetSnapshot {
    return this.#figures.snapshot();
  }

  /** Resolves when the devices' current requests and updates have ended. */
  async stop(): Promise<void> {
    for (const device of this.#devices) device.stop();
    await this.#running;
  }
}
