import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import { until } from "./waiting.ts";

const DEPLOYMENTS = "/api/management/v1/deployments";

export interface DeviceDeployment {
  readonly id: string;
  readonly status: DeviceDeploymentStatus;
  readonly log: boolean;
}

interface AuthenticatedDevice {
  readonly id: string;
  readonly status: string;
  readonly identity_data: Readonly<Record<string, string>>;
  readonly auth_sets: readonly { readonly id: string; readonly status: string }[];
}

/** The management API as a user's script would call it. Each call fails the test unless it is answered with 2xx. */
export class ManagementClient {
  readonly #url: string;
  readonly #token: string | undefined;

  private constructor(url: string, token: string | undefined) {
    this.#url = url;
    this.#token = token;
  }

  static async logIn(url: string, email: string, password: string): Promise<ManagementClient> {
    const credentials = Buffer.from(`${email}:${password}`).toString("base64");
    const anonymous = new ManagementClient(url, undefined);
    const answer = await anonymous.call("POST", "/api/management/v1/useradm/auth/login", undefined, {
      authorization: `Basic ${credentials}`,
    });
    return new ManagementClient(url, await answer.text());
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const request: RequestInit = {
      method,
      headers: {
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
    };
    const answer = await fetch(this.#url + path, request).catch((error: unknown) => {
      // A test that was busy for seconds finds its idle connection closed by the server.
      if (method === "GET" && error instanceof TypeError) return fetch(this.#url + path, request);
      throw error;
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  async json<T>(path: string): Promise<T> {
    return (await (await this.call("GET", path)).json()) as T;
  }

  /** @returns The id of the new artifact. */
  async upload(file: string): Promise<string> {
    // Not by a connection that the server may have closed while the artifact was made: a POST is not sent twice.
    await this.devices();
    const content = readFileSync(file);
    const form = new FormData();
    form.append("size", String(content.length));
    form.append("artifact", new Blob([content]), basename(file));
    const answer = await this.call("POST", `${DEPLOYMENTS}/artifacts`, form);
    return lastSegment(answer);
  }

  /** @returns The id of the new deployment. */
  async deploy(release: string, devices: readonly string[], name = `to ${release}`): Promise<string> {
    const request = { name, artifact_name: release, devices };
    return lastSegment(await this.call("POST", `${DEPLOYMENTS}/deployments`, request));
  }

  devices(): Promise<readonly AuthenticatedDevice[]> {
    return this.json("/api/management/v2/devauth/devices?per_page=500");
  }

  async setStatus(device: AuthenticatedDevice, status: "accepted" | "rejected"): Promise<void> {
    const [set] = device.auth_sets;
    const path = `/api/management/v2/devauth/devices/${device.id}/auth/${set?.id}/status`;
    await this.call("PUT", path, { status });
  }

  /** Wait until a device with this identity attribute asks to be let in. */
  device(attribute: string, value: string, explain?: () => string): Promise<AuthenticatedDevice> {
    return until(
      `a device with ${attribute}=${value}`,
      async () => (await this.devices()).find((device) => device.identity_data[attribute] === value),
      explain ? { explain } : {},
    );
  }

  deployment(id: string): Promise<{ readonly status: string }> {
    return this.json(`${DEPLOYMENTS}/deployments/${id}`);
  }

  deviceDeployments(deployment: string): Promise<readonly DeviceDeployment[]> {
    return this.json(`${DEPLOYMENTS}/deployments/${deployment}/devices`);
  }

  /** Wait until every device of the deployment has finished it. */
  finished(
    deployment: string,
    explain: () => string = () => "",
    limitMs?: number,
  ): Promise<readonly DeviceDeployment[]> {
    return until(
      `deployment ${deployment} is finished`,
      async () => {
        const { status } = await this.deployment(deployment);
        const devices = await this.deviceDeployments(deployment);
        return status === "finished" && devices.every((device) => isTerminal(device.status)) ? devices : undefined;
      },
      { explain, ...(limitMs === undefined ? {} : { limitMs }) },
    );
  }

  /** Wait until a device's log has arrived: it is sent after the final status. */
  log(deployment: string, device: string, explain?: () => string): Promise<string> {
    return until(
      `the log of device ${device} has arrived`,
      async () => {
        const found = (await this.deviceDeployments(deployment)).find(({ id }) => id === device);
        if (found?.log !== true) return undefined;
        return (await this.call("GET", `${DEPLOYMENTS}/deployments/${deployment}/devices/${device}/log`)).text();
      },
      explain ? { explain } : {},
    );
  }

  statistics(deployment: string): Promise<Readonly<Record<DeviceDeploymentStatus, number>>> {
    return this.json(`${DEPLOYMENTS}/deployments/${deployment}/statistics`);
  }
}

function lastSegment(answer: Response): string {
  const location = answer.headers.get("location");
  const id = location?.split("/").at(-1);
  if (!id) throw new Error(`the answer names no new resource: Location is ${location}`);
  return id;
}
