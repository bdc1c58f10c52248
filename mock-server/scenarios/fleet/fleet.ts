import { HttpClient, httpSettings, proxiesFrom, VERSION } from "upkeep/index.ts";
import { FleetFigures, type FleetSnapshot } from "./figures.ts";
import { ObservedNetwork } from "./observed-network.ts";
import type { FleetPlan } from "./plan.ts";
import { troublesLog } from "./troubles-log.ts";
import { fleetConfig, VirtualDevice } from "./virtual-device.ts";
import type { SharedDoor } from "./virtual-door.ts";

/** Virtual devices on one door. */
export class Fleet {
  readonly #figures = new FleetFigures();
  readonly #devices: VirtualDevice[];
  #running: Promise<unknown> | undefined;

  constructor({ clock, timers, network }: SharedDoor, plan: FleetPlan) {
    const observed = new ObservedNetwork(network, clock, this.#figures);
    const door = { clock, timers, network: observed };
    const config = fleetConfig(plan);
    const http = new HttpClient(door, {
      tls: plan.tls,
      proxies: proxiesFrom({}),
      ...httpSettings(config),
      version: `${VERSION} (virtual)`,
    });
    const parts = { plan, door, config, http, figures: this.#figures, log: troublesLog(this.#figures) };
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
