import { given } from "@upkeep/shared/given";
import { notFound } from "../../errors.ts";
import { type Deployment, instantMs } from "../file/index.ts";
import type { Operator } from "../run/stage.ts";
import type { ServerProcess } from "./server-process.ts";

const MANAGEMENT = "/api/management";
export const DEPLOYMENTS = `${MANAGEMENT}/v1/deployments/deployments`;
const DYNAMIC = `${MANAGEMENT}/v2/deployments/deployments`;
const DEVAUTH = `${MANAGEMENT}/v2/devauth/devices`;

interface AuthDevice {
  readonly id: string;
  readonly auth_sets: readonly { readonly id: string; readonly status: string }[];
}

/** An operator's actions through the management API. */
export class RealOperator implements Operator {
  readonly #server: ServerProcess;
  readonly #startMs: number;
  readonly #deviceIds: ReadonlyMap<string, string>;
  readonly deploymentIds = new Map<string, string>();

  constructor(server: ServerProcess, startMs: number, deviceIds: ReadonlyMap<string, string>) {
    this.#server = server;
    this.#startMs = startMs;
    this.#deviceIds = deviceIds;
  }

  async deploy(deployment: Deployment): Promise<void> {
    const { to, name, max_devices } = deployment;
    const body = this.#bodyOf(deployment);
    this.deploymentIds.set(name, await this.#create(to, name, max_devices, body));
  }

  async #create(to: Deployment["to"], name: string, maxDevices: number | undefined, body: object): Promise<string> {
    if (to === "all") return await this.#server.create(DEPLOYMENTS, { ...body, all_devices: true });
    if (Array.isArray(to)) {
      return await this.#server.create(DEPLOYMENTS, { ...body, devices: to.map((device) => this.#device(device)) });
    }
    if ("group" in to) return await this.#server.create(`${DEPLOYMENTS}/group/${encodeURIComponent(to.group)}`, body);
    const filter_id = await this.#server.create(`${MANAGEMENT}/v2/inventory/filters`, {
      name: `filter of ${name}`,
      terms: to.filter,
    });
    return await this.#server.create(DYNAMIC, {
      ...body,
      filter_id,
      ...given({ max_devices: maxDevices }),
    });
  }

  #bodyOf({ name, release, phases, retries, silent_after, force }: Deployment): object {
    return {
      name,
      artifact_name: release,
      ...(phases === undefined
        ? {}
        : {
            phases: phases.map(({ batch, start, success_threshold, error_threshold }) => ({
              ...given({ batch_size: batch }),
              ...(start === undefined
                ? {}
                : { start_ts: new Date(this.#startMs + instantMs(start, this.#startMs)).toISOString() }),
              ...given({ success_threshold, error_threshold }),
            })),
          }),
      ...given({ retries }),
      ...(silent_after === undefined ? {} : { silent_after: Math.round(silent_after / 1000) }),
      ...given({ force_installation: force }),
    };
  }

  abort(deployment: string): Promise<void> {
    return this.#setStatus(deployment, "aborted");
  }

  finish(deployment: string): Promise<void> {
    return this.#setStatus(deployment, "finished");
  }

  pause(deployment: string): Promise<void> {
    return this.#setStatus(deployment, "paused");
  }

  resume(deployment: string): Promise<void> {
    return this.#setStatus(deployment, "resumed");
  }

  async #setStatus(deployment: string, status: string): Promise<void> {
    const id = this.deploymentIds.get(deployment);
    if (id === undefined) throw notFound(`the deployment ${deployment} does not exist yet`);
    await this.#server.ask("PUT", `${DEPLOYMENTS}/${id}/status`, { status });
  }

  accept(device: string): Promise<void> {
    return this.#admit(device, "accepted");
  }

  reject(device: string): Promise<void> {
    return this.#admit(device, "rejected");
  }

  async #admit(device: string, status: "accepted" | "rejected"): Promise<void> {
    const id = this.#device(device);
    const { auth_sets } = (await this.#server.ask("GET", `${DEVAUTH}/${id}`)) as AuthDevice;
    for (const set of auth_sets) await this.#server.ask("PUT", `${DEVAUTH}/${id}/auth/${set.id}/status`, { status });
  }

  async decommission(device: string): Promise<void> {
    await this.#server.ask("DELETE", `${DEVAUTH}/${this.#device(device)}`);
  }

  async moveToGroup(device: string, group: string): Promise<void> {
    await this.#server.ask("PUT", `${MANAGEMENT}/v1/inventory/devices/${this.#device(device)}/group`, { group });
  }

  async deleteRelease(name: string): Promise<void> {
    await this.#server.ask(
      "DELETE",
      `${MANAGEMENT}/v2/deployments/deployments/releases?name=${encodeURIComponent(name)}`,
    );
  }

  #device(name: string): string {
    const id = this.#deviceIds.get(name);
    if (id === undefined) throw new Error(`there is no device ${name}`);
    return id;
  }
}
