import type { DeploymentStatus, DeviceDeploymentStatus, LogMessage } from "@upkeep/shared/protocol";
import type { History } from "../run/events.ts";
import { isConnectionError } from "./connection-errors.ts";
import { DEPLOYMENTS, type RealPeople } from "./people.ts";
import type { PlayedDevice } from "./played.ts";
import type { RealServer } from "./server.ts";

/** What is known of a deployment at the server. */
interface KnownDeployment {
  status: DeploymentStatus | undefined;
  readonly devices: Map<string, DeviceDeploymentStatus>;
  readonly logs: Set<string>;
}

/** Whom it is told. */
interface NoticesWorld {
  readonly devices: ReadonlyMap<string, PlayedDevice>;
  readonly history: History;
  broken(error: unknown): void;
}

/** What becomes of deployments at the server, as people see it who look there. */
export class Notices {
  readonly #server: RealServer;
  readonly #people: RealPeople;
  readonly #deviceIds: ReadonlyMap<string, string>;
  readonly #world: NoticesWorld;
  readonly #known = new Map<string, KnownDeployment>();
  #noticing: Promise<void> = Promise.resolve();

  constructor(server: RealServer, people: RealPeople, deviceIds: ReadonlyMap<string, string>, world: NoticesWorld) {
    this.#server = server;
    this.#people = people;
    this.#deviceIds = deviceIds;
    this.#world = world;
  }

  /** Take notice of what has changed. One after the other. */
  notice(): Promise<void> {
    this.#noticing = this.#noticing.then(() => this.#notice());
    return this.#noticing;
  }

  async #notice(): Promise<void> {
    if (!this.#server.up) return;
    try {
      for (const [name, id] of this.#people.deploymentIds) await this.#noticeDeployment(name, id);
    } catch (error) {
      if (this.#server.up && !isConnectionError(error)) this.#world.broken(error);
    }
  }

  async #noticeDeployment(deployment: string, id: string): Promise<void> {
    const known = this.#known.get(deployment) ?? { status: undefined, devices: new Map(), logs: new Set<string>() };
    this.#known.set(deployment, known);
    const devices = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}/devices`)) as {
      id: string;
      status: DeviceDeploymentStatus;
      log: boolean;
    }[];
    const { status } = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}`)) as { status: DeploymentStatus };
    for (const one of devices) {
      const name = [...this.#deviceIds].find(([, known]) => known === one.id)?.[0];
      const device = name === undefined ? undefined : this.#world.devices.get(name);
      if (device === undefined) continue;
      if (known.devices.get(device.name) !== one.status) {
        known.devices.set(device.name, one.status);
        device.status = one.status;
        device.deployment = deployment;
        this.#world.history.add({ kind: "status", device: device.name, deployment, status: one.status });
      }
      if (one.log && !known.logs.has(one.id)) {
        known.logs.add(one.id);
        await this.#noticeLog(device.name, deployment, `${DEPLOYMENTS}/${id}/devices/${one.id}/log`);
      }
    }
    if (known.status !== status) {
      known.status = status;
      this.#world.history.add({ kind: "deployment", deployment, status });
    }
  }

  async #noticeLog(device: string, deployment: string, path: string): Promise<void> {
    const { text } = await this.#server.answer("GET", path);
    const messages: LogMessage[] = text
      .split("\n")
      .filter((line) => line !== "")
      .map((message) => ({ timestamp: "", level: "", message }));
    this.#world.history.add({ kind: "log", device, deployment, messages });
  }

  /** What the server says of a deployment; `undefined`: it was not made yet. */
  async deployment(name: string) {
    const id = this.#people.deploymentIds.get(name);
    if (id === undefined) return undefined;
    const { status } = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}`)) as { status: DeploymentStatus };
    const statistics = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}/statistics`)) as Partial<
      Record<DeviceDeploymentStatus, number>
    >;
    return { status, statistics };
  }
}
