import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { TestDevice } from "../../mock-server/domain-fixture.ts";
import type { ManagementClient } from "../../support/management.ts";
import { load } from "./processes.ts";
import { poll, report } from "./requests.ts";

/** Twice as many as report at a time, so that no two requests in flight are of the same device. */
const DEVICES_PER_CONNECTION = 2;
/** Of all devices, in one run. */
const REPORTS = 4000;
const STATUSES = ["downloading", "installing", "rebooting"] as const;

/** Devices that have begun one deployment, and report how far they are. */
export class Reporters {
  readonly #connections: number;
  readonly #reports: readonly string[];
  /** Polls of devices for which there is nothing. */
  readonly idlePolls: readonly string[];
  #sent = 0;

  private constructor(connections: number, reports: readonly string[], idlePolls: readonly string[]) {
    this.#connections = connections;
    this.#reports = reports;
    this.idlePolls = idlePolls;
  }

  /**
   * @param artifact A file with an artifact of the release `bench`.
   * @param connections How many devices report at a time.
   */
  static async begin(
    port: number,
    management: ManagementClient,
    artifact: string,
    connections = 32,
  ): Promise<Reporters> {
    await management.upload(artifact);
    const tokens: string[] = [];
    for (let number = 0; number < connections * DEVICES_PER_CONNECTION; number += 1)
      tokens.push(await authorize(`http://127.0.0.1:${port}`, number));
    const created = await management.call("POST", "/api/management/v1/deployments/deployments", {
      name: "statuses",
      artifact_name: "bench",
      all_devices: true,
    });
    const deployment = created.headers.get("location")?.split("/").at(-1) ?? "";
    await send(
      port,
      tokens.map((token) => poll({ id: "", token })),
      "200",
      connections,
    );
    // Device after device.
    const each = Math.ceil(REPORTS / tokens.length / STATUSES.length) * STATUSES.length;
    const reports = Array.from({ length: each }, (_, number) =>
      tokens.map((token) => report({ id: "", token }, deployment, STATUSES[number % STATUSES.length] ?? "downloading")),
    );
    const idle: string[] = [];
    for (let number = 0; number < connections; number += 1)
      idle.push(poll({ id: "", token: await authorize(`http://127.0.0.1:${port}`, -1 - number) }));
    return new Reporters(connections, reports.flat(), idle);
  }

  /** The number of requests so far. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Reports each status once, on all servers at the same time.
   * @returns How many statuses a second, each durable before it was acknowledged.
   */
  async report(...ports: readonly number[]): Promise<number> {
    return await this.#sendAll(ports, this.#reports, "204");
  }

  /** Polls on all servers at the same time. @returns How many a second were answered with "nothing for you". */
  async poll(...ports: readonly number[]): Promise<number> {
    const rounds = Math.ceil((2 * REPORTS) / this.idlePolls.length);
    return await this.#sendAll(ports, Array.from({ length: rounds }, () => this.idlePolls).flat(), "204");
  }

  /** Device by device: each server gets whole devices. */
  async #sendAll(ports: readonly number[], requests: readonly string[], expected: string): Promise<number> {
    const perServer = await Promise.all(
      ports.map((port, server) =>
        send(
          port,
          requests.filter((_, index) => index % ports.length === server),
          expected,
          this.#connections / ports.length,
        ),
      ),
    );
    this.#sent += requests.length;
    return perServer.reduce((sum, perSecond) => sum + perSecond, 0);
  }
}

/** Send each once. @returns How many were answered a second. */
async function send(port: number, requests: readonly string[], expected: string, connections: number): Promise<number> {
  const result = await load({ port, requests }, { connections, seconds: 0, once: true });
  if (result.statuses[expected] !== result.answers) throw new Error(`answered ${JSON.stringify(result.statuses)}`);
  return result.perSecond;
}

async function authorize(url: string, number: number): Promise<string> {
  const { body, signature } = new TestDevice(JSON.stringify({ mac: String(number) })).request();
  const answer = await fetch(url + DEVICE_PATHS.authRequests, {
    method: "POST",
    headers: { "content-type": "application/json", [SIGNATURE_HEADER]: signature },
    body: Buffer.from(body),
  });
  if (!answer.ok) throw new Error(`a device was not let in: ${answer.status}`);
  return await answer.text();
}
