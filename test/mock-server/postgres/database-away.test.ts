import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { composeServer, DEFAULT_OPTIONS, openDomain, openFileBlobs } from "../../../mock-server/index.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { TestDevice } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

/** Longer than any statement of this test takes. */
const ANSWER_MS_MAX = 5000;
const DEPLOYMENT = "00000000-0000-4000-8000-000000000001";
const PROVIDES = { device_type: "board", artifact_name: "factory" };
const MESSAGES = [{ timestamp: "2027-01-01T00:00:00Z", level: "info", message: "installed" }];

interface DeviceRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly url: string;
  readonly body?: unknown;
}

/** One request to each route that devices call with their token. */
const REQUESTS: readonly DeviceRequest[] = [
  { method: "POST", url: DEVICE_PATHS.nextV2, body: { device_provides: PROVIDES } },
  { method: "POST", url: DEVICE_PATHS.nextV1, body: PROVIDES },
  { method: "GET", url: `${DEVICE_PATHS.nextV1}?device_type=board&artifact_name=factory` },
  { method: "PUT", url: DEVICE_PATHS.status(DEPLOYMENT), body: { status: "downloading" } },
  { method: "PUT", url: DEVICE_PATHS.log(DEPLOYMENT), body: { messages: MESSAGES } },
  { method: "PUT", url: DEVICE_PATHS.inventory, body: [{ name: "memory", value: 512 }] },
  { method: "PATCH", url: DEVICE_PATHS.inventory, body: [{ name: "memory", value: 1024 }] },
  { method: "GET", url: "/api/devices/v1/deviceconfig/configuration" },
  { method: "PUT", url: "/api/devices/v1/deviceconfig/configuration", body: { timezone: "UTC" } },
  { method: "GET", url: `/api/devices/v2/deployments/device/deployments/${DEPLOYMENT}/update_control_map` },
];

describePostgres("While PostgreSQL is away", () => {
  let postgres: PostgresServer;
  let app: FastifyInstance;
  let close: () => Promise<void>;
  let token: string;
  const device = new TestDevice(JSON.stringify({ mac: "02:00:00:00:00:01" }));

  beforeAll(async () => {
    postgres = await startPostgres();
    const folder = mkdtempSync(join(tmpdir(), "upkeep-away-"));
    const { url, remove } = await makeSchema(postgres.url);
    const system = openSystem();
    const domain = await openDomain({
      system,
      storage: { url, answerMsMax: ANSWER_MS_MAX },
      options: { autoAccept: true },
    });
    const blobs = await openFileBlobs(system.files, join(folder, "artifacts"));
    const logger = createLogger({ level: "error", format: "json", write: () => undefined, now: system.clock.now });
    const server = await composeServer(system, { ...DEFAULT_OPTIONS, data: { domain, blobs }, logger });
    app = server.app;
    close = async () => {
      await server.close();
      await domain.close();
      await remove();
      rmSync(folder, { recursive: true });
    };
    token = await domain.authentication.authorize(device.request());
  });
  afterAll(async () => {
    await close();
    await postgres.stop();
  });

  async function send({ method, url, body }: DeviceRequest) {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    return await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${token}`, ...type },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
  }

  async function logIn() {
    const { body, signature } = device.request();
    return await app.inject({
      method: "POST",
      url: DEVICE_PATHS.authRequests,
      headers: { "content-type": "application/json", [SIGNATURE_HEADER]: signature },
      payload: Buffer.from(body),
    });
  }

  async function answers(): Promise<(readonly [route: string, status: number, retryAfter: unknown])[]> {
    const all = [];
    for (const request of REQUESTS) {
      const { statusCode, headers } = await send(request);
      all.push([`${request.method} ${request.url.split("?", 1)[0]}`, statusCode, headers["retry-after"]] as const);
    }
    const { statusCode, headers } = await logIn();
    all.push(["POST auth_requests", statusCode, headers["retry-after"]] as const);
    return all;
  }

  test("each route of devices answers 503 and says when to come back", async () => {
    await postgres.crash(async () => {
      // The first request of each connection finds it broken, the next ones find no server: both are tried.
      for (let round = 0; round < 2; round += 1) {
        const other = (await answers()).filter(([, status, retryAfter]) => status !== 503 || retryAfter !== "60");
        expect(other).toEqual([]);
      }
    });
    expect((await logIn()).statusCode).toBe(200);
  });

  test("also when it only does not answer any more", { timeout: 180_000 }, async () => {
    await postgres.freeze(async () => {
      const all = await Promise.all([...REQUESTS.map(send), logIn(), logIn()]);
      expect(all.map(({ statusCode, headers }) => [statusCode, headers["retry-after"]])).toEqual(
        all.map(() => [503, "60"]),
      );
    });
    expect((await logIn()).statusCode).toBe(200);
  });

  test("so do the requests that are in flight when it goes", async () => {
    const all: Promise<readonly [string, number, unknown]>[] = [];
    let going = true;
    const busy = Array.from({ length: 20 }, async (_, client) => {
      for (let n = client; going; n += 1) {
        const request = REQUESTS[n % REQUESTS.length];
        if (request === undefined) continue;
        const { statusCode, headers } = await send(request);
        all.push(Promise.resolve([`${request.method} ${request.url}`, statusCode, headers["retry-after"]]));
      }
    });
    await postgres.crash(async () => {
      going = false;
      await Promise.all(busy);
    });
    const refused = (await Promise.all(all)).filter(([, status]) => status >= 500);
    expect(refused.filter(([, status, retryAfter]) => status !== 503 || retryAfter !== "60")).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
  });
});
