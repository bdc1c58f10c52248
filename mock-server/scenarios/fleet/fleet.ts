import type { System } from "@upkeep/shared/system";
import { HttpClient, Notifier } from "upkeep/index.ts";
import { VirtualDevice } from "./device.ts";
import { FleetFigures, type FleetSnapshot } from "./figures.ts";
import { NO_PROCESSES } from "./no-processes.ts";
import { ObservedNetwork } from "./observed-network.ts";
import type { FleetPlan } from "./plan.ts";
import { troublesLog } from "./troubles-log.ts";

/** Defaults of the agent's configuration. */
const CONNECTION_IDLE_MS = 300_000;
const ANSWER_MS_MAX = 900_000;

/** Virtual devices on one door. */
export class Fleet {
  readonly #figures = new FleetFigures();
  readonly #devices: VirtualDevice[];
  #running: Promise<unknown> | undefined;

  constructor({ clock, timers, network }: Pick<System, "clock" | "timers" | "network">, plan: FleetPlan) {
    const observed = new ObservedNetwork(network, clock, this.#figures);
    const http = new HttpClient(
      { clock, timers, network: observed },
      {
        tls: plan.tls,
        proxies: { http: undefined, https: undefined, exceptions: [] },
        redirectHosts: [],
        servers: [],
        connectionIdleMs: CONNECTION_IDLE_MS,
        answerMsMax: ANSWER_MS_MAX,
        version: "0.1.0 (virtual)",
      },
    );
    const log = troublesLog(this.#figures);
    const notifier = new Notifier({ timers, processes: NO_PROCESSES }, {}, log);
    const parts = { plan, clock, timers, http, notifier, figures: this.#figures, log };
    this.#devices = Array.from({ length: plan.devices }, (_, index) => new VirtualDevice(parts, index + 1));
  }

  start(): void {
    this.#running = Promise.all(this.#devices.map((device) => device.run()));
  }

  snapshot(): FleetSnapshot {
    return this.#figures.snapshot();
  }

  /** Resolves when what was under way has come to rest. */
  async stop(): Promise<void> {
    for (const device of this.#devices) device.stop();
    await this.#running;
  }
}
