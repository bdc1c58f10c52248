import { given } from "@upkeep/shared/given";
import type { DeploymentStatus, DeviceDeploymentStatus, LogMessage } from "@upkeep/shared/protocol";
import type { DeploymentView, History } from "../run/events.ts";
import { takePart } from "../run/taking-part.ts";
import type { LiveDevice } from "./live-device.ts";
import { DEPLOYMENTS, type RealOperator } from "./real-operator.ts";
import type { ServerProcess } from "./server-process.ts";

type Server = Pick<ServerProcess, "ask" | "answer" | "unlessDown">;

/** Last known state of a deployment. */
interface KnownDeployment {
  view: DeploymentView | undefined;
  readonly devices: Map<string, DeviceDeploymentStatus>;
  readonly logs: Set<string>;
  /** Nothing of it changes any more. */
  isOver: boolean;
}

export interface DeploymentFacts extends DeploymentView {
  readonly statistics: Readonly<Partial<Record<DeviceDeploymentStatus, number>>>;
}

/** Receivers of the observed changes. */
interface MonitoredWorld {
  readonly devices: ReadonlyMap<string, Pick<LiveDevice, "name" | "status" | "deployment">>;
  readonly history: History;
  broken(error: unknown): void;
}

/** Observes deployments through the management API, and records their changes in the history. */
export class DeploymentMonitor {
  readonly #server: Server;
  readonly #operator: Pick<RealOperator, "deploymentIds">;
  readonly #deviceIds: ReadonlyMap<string, string>;
  readonly #world: MonitoredWorld;
  readonly #known = new Map<string, KnownDeployment>();
  readonly #facts = new Map<string, DeploymentFacts>();
  #refreshing: Promise<void> = Promise.resolve();

  constructor(
    server: Server,
    operator: Pick<RealOperator, "deploymentIds">,
    deviceIds: ReadonlyMap<string, string>,
    world: MonitoredWorld,
  ) {
    this.#server = server;
    this.#operator = operator;
    this.#deviceIds = deviceIds;
    this.#world = world;
  }

  /** Queries the server and records changes. Calls are serialised. */
  refresh(): Promise<void> {
    this.#refreshing = this.#refreshing.then(() => this.#refresh());
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    try {
      await this.#server.unlessDown(async () => {
        for (const [name, id] of this.#operator.deploymentIds) await this.#refreshDeployment(name, id);
      });
    } catch (error) {
      this.#world.broken(error);
    }
  }

  async #refreshDeployment(deployment: string, id: string): Promise<void> {
    const known = this.#known.get(deployment) ?? {
      view: undefined,
      devices: new Map(),
      logs: new Set<string>(),
      isOver: false,
    };
    this.#known.set(deployment, known);
    if (known.isOver) return;
    // First: of a deployment that has finished by now, the devices are read as they stay.
    const view = await this.#view(id);
    const devices = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}/devices`)) as {
      id: string;
      status: DeviceDeploymentStatus;
      log: boolean;
    }[];
    for (const one of devices) {
      const name = [...this.#deviceIds].find(([, known]) => known === one.id)?.[0];
      const device = name === undefined ? undefined : this.#world.devices.get(name);
      if (device === undefined) continue;
      if (known.devices.get(device.name) !== one.status) {
        known.devices.set(device.name, one.status);
        const happening = { kind: "status", device: device.name, deployment, status: one.status } as const;
        takePart(device, happening);
        this.#world.history.add(happening);
      }
      if (one.log && !known.logs.has(one.id)) {
        known.logs.add(one.id);
        await this.#fetchLog(device.name, deployment, `${DEPLOYMENTS}/${id}/devices/${one.id}/log`);
      }
    }
    if (known.view?.status !== view.status || known.view.paused !== view.paused) {
      known.view = view;
      this.#world.history.add({ kind: "deployment", deployment, ...view });
    }
    known.isOver =
      view.status === "finished" &&
      devices.every(({ id: device, status }) => status !== "failure" || known.logs.has(device));
  }

  async #fetchLog(device: string, deployment: string, path: string): Promise<void> {
    const { text } = await this.#server.answer("GET", path);
    const messages: LogMessage[] = text
      .split("\n")
      .filter((line) => line !== "")
      .map((message) => ({ timestamp: "", level: "", message }));
    this.#world.history.add({ kind: "log", device, deployment, messages });
  }

  /** State of a deployment at the server, or the last known one while it is down; `undefined` before its creation. */
  async deployment(name: string): Promise<DeploymentFacts | undefined> {
    const id = this.#operator.deploymentIds.get(name);
    if (id === undefined) return undefined;
    const now = await this.#server.unlessDown(async () => {
      const view = await this.#view(id);
      const statistics = (await this.#server.ask(
        "GET",
        `${DEPLOYMENTS}/${id}/statistics`,
      )) as DeploymentFacts["statistics"];
      return { ...view, statistics };
    });
    if (now !== undefined) this.#facts.set(name, now);
    return this.#facts.get(name);
  }

  async #view(id: string): Promise<DeploymentView> {
    const { status, paused } = (await this.#server.ask("GET", `${DEPLOYMENTS}/${id}`)) as {
      readonly status: DeploymentStatus;
      readonly paused?: { readonly reason: string };
    };
    return { status, ...given({ paused: paused?.reason }) };
  }
}
