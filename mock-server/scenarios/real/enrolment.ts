import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { DomainError } from "../../errors.ts";
import type { DeviceIdentity } from "../world/fleet.ts";
import type { RealOperator } from "./real-operator.ts";
import type { ServerProcess } from "./server-process.ts";

const ARTIFACTS = "/api/management/v1/deployments/artifacts";
const AUTH_DEVICES = "/api/management/v2/devauth/devices?per_page=500";
const BOUNDARY = "----upkeep-scenario";

interface KnownDevice {
  readonly id: string;
  readonly identity_data: Readonly<Record<string, unknown>>;
}

/** Registers a scenario's devices and uploads its artifacts before the scenario begins. */
export class Enrolment {
  readonly #server: ServerProcess;
  readonly #operator: RealOperator;
  /** Device ids by name; registered devices are added. */
  readonly #deviceIds: Map<string, string>;

  constructor(server: ServerProcess, operator: RealOperator, deviceIds: Map<string, string>) {
    this.#server = server;
    this.#operator = operator;
    this.#deviceIds = deviceIds;
  }

  /**
   * Registers a device that has sent an authorisation request itself.
   * @param wanted Its id, a value of its identity, or `next`.
   * @returns False if there is no such request yet.
   */
  async admitWaiting(name: string, wanted: string, accept: boolean): Promise<boolean> {
    const found = await this.#find(
      ({ id, identity_data }) => wanted === "next" || id === wanted || Object.values(identity_data).includes(wanted),
    );
    if (found === undefined) return false;
    await this.#known(name, found, accept);
    return true;
  }

  /** Registers a device with an authorisation request, and accepts it if `accept` is set. */
  async admit({ name, identity, key }: DeviceIdentity, accept: boolean): Promise<void> {
    const body = Buffer.from(JSON.stringify({ id_data: identity, pubkey: key.publicPem }));
    try {
      await this.#server.answer("POST", DEVICE_PATHS.authRequests, body, {
        "content-type": "application/json",
        [SIGNATURE_HEADER]: key.sign(body),
      });
    } catch (error) {
      // The server refuses the device until it is accepted.
      if (!(error instanceof DomainError)) throw error;
    }
    const wanted = JSON.stringify(JSON.parse(identity));
    const found = await this.#find(({ identity_data }) => JSON.stringify(identity_data) === wanted);
    if (found === undefined) throw new Error(`the device ${identity} could not be made known`);
    await this.#known(name, found, accept);
  }

  async #find(isWanted: (device: KnownDevice) => boolean): Promise<KnownDevice | undefined> {
    return ((await this.#server.ask("GET", AUTH_DEVICES)) as KnownDevice[]).find(isWanted);
  }

  async #known(name: string, { id }: KnownDevice, accept: boolean): Promise<void> {
    this.#deviceIds.set(name, id);
    if (accept) await this.#operator.accept(name);
  }

  /** @returns The artifact's id. */
  async upload(content: Uint8Array): Promise<string> {
    const part = (head: string): Buffer =>
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`);
    const body = Buffer.concat([
      part('name="size"'),
      Buffer.from(`${content.length}\r\n`),
      part('name="artifact"; filename="artifact.mender"'),
      content,
      Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
    ]);
    const type = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
    const { location } = await this.#server.answer("POST", ARTIFACTS, body, type);
    return location.split("/").at(-1) ?? "";
  }
}
