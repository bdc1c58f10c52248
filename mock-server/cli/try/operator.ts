import { type DeviceDeploymentStatus, isTerminal, recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type ManagementAnswer, type ManagementClient, ManagementError } from "../../scenarios/management/client.ts";
import type { Release } from "./releases.ts";

const AUTHENTICATION = "/api/management/v2/devauth/devices";
const DEPLOYMENTS = "/api/management/v1/deployments";

const Devices = z.array(
  z.object({
    id: z.string(),
    status: z.string(),
    identity_data: recordOf(z.unknown()),
    auth_sets: z.array(z.object({ id: z.string() })),
  }),
);
const Timeline = z.object({ states: z.array(z.object({ status: z.string() })) });
const DeviceDeployments = z.array(z.object({ id: z.string(), status: z.string(), log: z.boolean() }));

export type KnownDevice = z.infer<typeof Devices>[number];
export type DeviceProgress = z.infer<typeof DeviceDeployments>[number];

/** Whether a device has finished its update, and has sent the log if that failed. */
export function isOver({ status, log }: DeviceProgress): boolean {
  return isTerminal(status as DeviceDeploymentStatus) && (status !== "failure" || log);
}

/** What a person does on the page, through the same API. Methods throw ManagementError. */
export class Operator {
  readonly #client: ManagementClient;

  constructor(client: ManagementClient) {
    this.#client = client;
  }

  /** Devices by the serial number of their identity. */
  async devices(): Promise<ReadonlyMap<string, KnownDevice>> {
    const devices = Devices.parse(await this.#client.get(`${AUTHENTICATION}?per_page=500`));
    return new Map(devices.map((device) => [String(device.identity_data.serial), device]));
  }

  async accept({ id, auth_sets }: KnownDevice): Promise<void> {
    const path = `${AUTHENTICATION}/${id}/auth/${auth_sets[0]?.id}/status`;
    const answer = await this.#client.call("PUT", path, { status: "accepted" });
    if (answer.status !== 204) throw new ManagementError("accepting a device", answer);
  }

  async upload({ name, artifact }: Release): Promise<void> {
    created(`uploading ${name}`, await this.#client.upload(`${DEPLOYMENTS}/artifacts`, artifact));
  }

  /** @returns The id of the deployment. */
  async deploy({ name }: Release, devices: readonly KnownDevice[]): Promise<string> {
    const request = { name, artifact_name: name, devices: devices.map(({ id }) => id) };
    return created(`deploying ${name}`, await this.#client.call("POST", `${DEPLOYMENTS}/deployments`, request));
  }

  /** Progress of the devices by their ids. */
  async progress(deployment: string): Promise<ReadonlyMap<string, DeviceProgress>> {
    const path = `${DEPLOYMENTS}/deployments/${deployment}/devices`;
    const devices = DeviceDeployments.parse(await this.#client.get(path));
    return new Map(devices.map((device) => [device.id, device]));
  }

  /** All statuses of a device that has begun with a deployment, oldest first. */
  async statuses(deployment: string, device: string): Promise<readonly string[]> {
    const path = `${DEPLOYMENTS}/deployments/${deployment}/devices/${device}/timeline`;
    const { states } = Timeline.parse(await this.#client.get(path));
    return states.map(({ status }) => status).filter((status, index, all) => status !== all[index - 1]);
  }
}

/** The id of a created resource. @throws ManagementError */
function created(what: string, answer: ManagementAnswer): string {
  if (answer.status !== 201) throw new ManagementError(what, answer);
  return answer.location?.split("/").at(-1) ?? "";
}
