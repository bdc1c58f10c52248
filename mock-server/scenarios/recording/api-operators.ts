import { readFile, type System } from "@upkeep/shared/system";
import * as z from "zod";
import { type ManagementClient, ManagementError } from "../management/client.ts";
import type { Operators, ReplayedDevice } from "./device-replay.ts";
import type { RecordedBytes } from "./format.ts";

const DEVICES = "/api/management/v2/devauth/devices";
const DEPLOYMENTS = "/api/management/v1/deployments";
const PAGE = 500;
const ARTIFACT_BYTES_MAX = 1024 * 1024 * 1024;

const Known = z.array(
  z.object({
    id: z.string(),
    auth_sets: z.array(z.object({ id: z.string(), pubkey: z.string(), status: z.string() })),
  }),
);
const Artifacts = z.array(z.object({ name: z.string() }));

const plain = (pem: string): string => pem.replace(/\s+/g, "");

/** Repeats the operators' actions of a recorded session through the management API. */
export class ApiOperators implements Operators {
  readonly #client: ManagementClient;
  readonly #files: System["files"];
  readonly #artifacts: string;
  readonly #ids = new Map<string, string>();

  /** @param artifacts The directory of the recording's artifacts. */
  constructor(client: ManagementClient, files: System["files"], artifacts: string) {
    this.#client = client;
    this.#files = files;
    this.#artifacts = artifacts;
  }

  async accept(device: ReplayedDevice): Promise<void> {
    const known = await this.#find(device);
    if (known !== undefined) {
      this.#ids.set(device.name, known.device);
      await this.#setStatus(known, "accepted");
      return;
    }
    // The device was accepted before its first request.
    const body = { identity_data: JSON.parse(device.identity) as unknown, pubkey: device.key.publicPem, force: true };
    const answer = await this.#client.call("POST", DEVICES, body);
    if (answer.status !== 201) throw new ManagementError(`preauthorising device ${device.name}`, answer);
  }

  async reject(device: ReplayedDevice): Promise<void> {
    const known = await this.#find(device);
    if (known !== undefined) await this.#setStatus(known, "rejected");
  }

  async deploy(device: ReplayedDevice, release: string, artifact: RecordedBytes | undefined): Promise<string> {
    await this.#upload(release, artifact);
    const id = this.#ids.get(device.name) ?? (await this.#find(device))?.device;
    const body = { name: `replay of ${release} to ${device.name}`, artifact_name: release, devices: [id] };
    const answer = await this.#client.call("POST", `${DEPLOYMENTS}/deployments`, body);
    const deployment = answer.location?.split("/").at(-1);
    if (answer.status !== 201 || !deployment) throw new ManagementError(`deploying ${release}`, answer);
    return deployment;
  }

  async abort(deployment: string): Promise<void> {
    const path = `${DEPLOYMENTS}/deployments/${deployment}/status`;
    const answer = await this.#client.call("PUT", path, { status: "aborted" });
    // The deployment may have ended already.
    if (answer.status >= 500) throw new ManagementError(`aborting deployment ${deployment}`, answer);
  }

  /** Uploads the release, unless the server has it or the artifact was not kept. */
  async #upload(release: string, artifact: RecordedBytes | undefined): Promise<void> {
    const query = new URLSearchParams({ name: release });
    const known = Artifacts.parse(await this.#client.get(`${DEPLOYMENTS}/artifacts/list?${query}`));
    if (artifact === undefined || known.some(({ name }) => name === release)) return;
    const content = await readFile(this.#files, `${this.#artifacts}/${artifact.sha256}`, ARTIFACT_BYTES_MAX);
    if (content === undefined) return;
    const answer = await this.#client.upload(`${DEPLOYMENTS}/artifacts`, content);
    if (answer.status !== 201) throw new ManagementError(`uploading ${release}`, answer);
  }

  /** The device's authentication set on the server, once it has sent a request. */
  async #find(device: ReplayedDevice): Promise<{ readonly device: string; readonly set: string } | undefined> {
    const wanted = plain(device.key.publicPem);
    for (let page = 1; ; page++) {
      const devices = Known.parse(await this.#client.get(`${DEVICES}?page=${page}&per_page=${PAGE}`));
      for (const { id, auth_sets } of devices) {
        const set = auth_sets.find(({ pubkey }) => plain(pubkey) === wanted);
        if (set !== undefined) return { device: id, set: set.id };
      }
      if (devices.length < PAGE) return undefined;
    }
  }

  async #setStatus({ device, set }: { readonly device: string; readonly set: string }, status: string): Promise<void> {
    const answer = await this.#client.call("PUT", `${DEVICES}/${device}/auth/${set}/status`, { status });
    if (answer.status !== 204) throw new ManagementError(`setting a device to ${status}`, answer);
  }
}
