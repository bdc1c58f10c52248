import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { TestDevice } from "../../mock-server/domain-fixture.ts";
import type { ManagementClient } from "../../support/management.ts";
import { load } from "./processes.ts";
import { poll, report } from "./requests.ts";

const DEVICES = 64;
/** Of each device. */
const REPORTS = 60;
const STATUSES = ["downloading", "installing", "rebooting"] as const;

/** Devices that have begun one deployment, and report how far they are. */
export class Reporters {
  readonly #port: number;
  readonly #reports: readonly string[];

  private constructor(port: number, reports: readonly string[]) {
    this.#port = port;
    this.#reports = reports;
  }

  /** @param artifact A file with an artifact of the release `bench`. */
  static async begin(port: number, management: ManagementClient, artifact: string): Promise<Reporters> {
    await management.upload(artifact);
    const tokens: string[] = [];
    for (let number = 0; number < DEVICES; number += 1)
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
    );
    // Device after device, so that no two requests in flight are of the same device.
    const reports = Array.from({ length: REPORTS }, (_, number) =>
      tokens.map((token) => report({ id: "", token }, deployment, STATUSES[number % STATUSES.length] ?? "downloading")),
    );
    return new Reporters(port, reports.flat());
  }

  /**
   * Report again and again, as many at a time as half of the devices are.
   * @returns How many statuses a second, each durable before it was acknowledged.
   */
  async report(): Promise<number> {
    return await send(this.#port, this.#reports, "204");
  }
}

/** Send each once. @returns How many were answered a second. */
async function send(port: number, requests: readonly string[], expected: string): Promise<number> {
  const result = await load({ port, requests }, { connections: DEVICES / 2, seconds: 0, once: true });
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
