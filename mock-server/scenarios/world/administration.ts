import { given } from "@upkeep/shared/given";
import type { NewDeployment } from "../../domain.ts";
import { notFound } from "../../errors.ts";
import { type Deployment, instantMs } from "../file/index.ts";
import type { SimulatedServer } from "./server.ts";

/** An operator's actions at the simulated server. */
export class Administration {
  readonly #server: SimulatedServer;
  readonly #startMs: number;
  readonly #deviceIds: ReadonlyMap<string, string>;
  readonly #deploymentIds = new Map<string, string>();

  constructor(server: SimulatedServer, startMs: number, deviceIds: ReadonlyMap<string, string>) {
    this.#server = server;
    this.#startMs = startMs;
    this.#deviceIds = deviceIds;
  }

  /** Name of the deployment with this id. */
  deploymentName(id: string): string | undefined {
    return [...this.#deploymentIds].find(([, known]) => known === id)?.[0];
  }

  deploymentId(name: string): string | undefined {
    return this.#deploymentIds.get(name);
  }

  async deploy(deployment: Deployment): Promise<void> {
    const { domain } = this.#server;
    const id = await domain.deployments.create(await this.#newDeployment(deployment));
    this.#deploymentIds.set(deployment.name, id);
  }

  abort(deployment: string): Promise<void> {
    return this.#server.domain.deployments.abort(this.#deployment(deployment));
  }

  finish(deployment: string): Promise<void> {
    return this.#server.domain.deployments.finish(this.#deployment(deployment));
  }

  pause(deployment: string): Promise<void> {
    return this.#server.domain.deployments.pause(this.#deployment(deployment));
  }

  resume(deployment: string): Promise<void> {
    return this.#server.domain.deployments.resume(this.#deployment(deployment));
  }

  accept(device: string): Promise<void> {
    return this.#server.setStatus(this.#device(device), "accepted");
  }

  reject(device: string): Promise<void> {
    return this.#server.setStatus(this.#device(device), "rejected");
  }

  decommission(device: string): Promise<void> {
    return this.#server.domain.devices.decommission(this.#device(device));
  }

  moveToGroup(device: string, group: string): Promise<void> {
    return this.#server.domain.groups.assign(this.#device(device), group);
  }

  async deleteRelease(name: string): Promise<void> {
    await this.#server.domain.releases.delete([name]);
  }

  #device(name: string): string {
    const id = this.#deviceIds.get(name);
    if (id === undefined) throw new Error(`there is no device ${name}`);
    return id;
  }

  #deployment(name: string): string {
    const id = this.#deploymentIds.get(name);
    if (id === undefined) throw notFound(`the deployment ${name} does not exist yet`);
    return id;
  }

  async #newDeployment({
    name,
    release,
    to,
    phases,
    retries,
    max_devices,
    silent_after,
    force,
  }: Deployment): Promise<NewDeployment> {
    return {
      name,
      artifactName: release,
      ...(await this.#target(name, to)),
      ...(phases === undefined
        ? {}
        : {
            phases: phases.map(({ batch, start, success_threshold, error_threshold }) => ({
              ...given({ batchSize: batch }),
              ...(start === undefined ? {} : { startMs: this.#startMs + instantMs(start, this.#startMs) }),
              ...given({ successThreshold: success_threshold, errorThreshold: error_threshold }),
            })),
          }),
      ...given({ retries, maxDevices: max_devices, silentAfterMs: silent_after, forceInstallation: force }),
    };
  }

  async #target(name: string, to: Deployment["to"]): Promise<Partial<NewDeployment>> {
    if (to === "all") return { allDevices: true };
    if (Array.isArray(to)) return { devices: to.map((device) => this.#device(device)) };
    if ("group" in to) return { group: to.group };
    return { filterId: await this.#server.domain.filters.create(`filter of ${name}`, to.filter) };
  }
}
