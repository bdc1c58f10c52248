import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { makeArtifact } from "../api/fixture.ts";
import { TestDevice } from "../domain-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const DEVICES = 50;
/** Every fifth fails at first. */
const STUMBLES = 5;
/** The server dies when so many devices are installing. */
const KILLED_AT = 13;
const DEVICE_TYPE = "raspberrypi4";
/** The event that a device has succeeded. */
const SUCCESS = "success";

interface Instructions {
  readonly id: string;
  readonly artifact: { readonly source: { readonly uri: string } };
}

interface ServerProcess {
  readonly url: string;
  /** Of the one that made the administrator. */
  readonly administrator?: { readonly email: string; readonly password: string };
  readonly program: Program;
}

/**
 * A device that asks one server twice and then the next, as behind a balancer, and goes on when one does not answer.
 * Between two reports it downloads: so the first two of each device go to different servers.
 */
class RoamingDevice {
  readonly number: number;
  /** The servers that have taken a report of it. */
  readonly reported = new Set<string>();
  readonly #device: TestDevice;
  readonly #urls: readonly string[];
  #turn: number;
  #token = "";

  constructor(number: number, urls: readonly string[]) {
    this.number = number;
    this.#device = new TestDevice(JSON.stringify({ mac: `02:00:00:00:00:${number}` }));
    this.#urls = urls;
    this.#turn = number;
  }

  async #call(path: string, init: RequestInit): Promise<Response> {
    for (let tries = 0; tries < 20; tries += 1) {
      const url = this.#urls[Math.floor(this.#turn / 2) % this.#urls.length];
      this.#turn += 1;
      try {
        const answer = await fetch(url + path, init);
        if (answer.status < 500) {
          if (path.endsWith("/status")) this.reported.add(url ?? "");
          return answer;
        }
      } catch (error) {
        // The server is gone: the answer may be lost, and so the same is sent again elsewhere.
        if (!(error instanceof TypeError)) throw error;
      }
    }
    throw new Error("no server answers");
  }

  async #json(method: string, path: string, body: unknown): Promise<Response> {
    return await this.#call(path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  async authorize(): Promise<void> {
    const { body, signature } = this.#device.request();
    const answer = await this.#call(DEVICE_PATHS.authRequests, {
      method: "POST",
      headers: { "content-type": "application/json", [SIGNATURE_HEADER]: signature },
      body: Buffer.from(body),
    });
    expect(answer.status).toBe(200);
    this.#token = await answer.text();
  }

  /** Ask until there is something to install: again whenever some device has succeeded. */
  async poll(successes: EventEmitter): Promise<Instructions> {
    for (;;) {
      const next = once(successes, SUCCESS);
      const answer = await this.#json("POST", DEVICE_PATHS.nextV2, {
        device_provides: { device_type: DEVICE_TYPE, artifact_name: "factory" },
      });
      if (answer.status === 200) return (await answer.json()) as Instructions;
      expect(answer.status).toBe(204);
      await next;
    }
  }

  /** The link names the server that was asked; another one takes it as well. */
  async download({ artifact }: Instructions): Promise<Buffer> {
    const { pathname, search } = new URL(artifact.source.uri);
    const answer = await this.#call(pathname + search, {});
    expect(answer.status).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  }

  async sendLog(id: string, message: string): Promise<void> {
    const messages = [{ timestamp: "2027-01-01T00:00:00Z", level: "info", message }];
    expect((await this.#json("PUT", DEVICE_PATHS.log(id), { messages })).status).toBe(204);
  }

  async report(id: string, status: string): Promise<void> {
    const answer = await this.#json("PUT", DEVICE_PATHS.status(id), { status });
    expect(answer.status).toBe(204);
  }
}

describePostgres("Two server processes on one PostgreSQL", () => {
  let postgres: PostgresServer;
  let data: string;
  const servers: ServerProcess[] = [];
  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), "upkeep-server-"));
    postgres = await startPostgres({ durable: true });
    servers.push(...(await Promise.all([start(), start()])));
  });
  afterAll(async () => {
    await Promise.all(servers.map(({ program }) => program.stop()));
    await postgres.stop();
    rmSync(data, { recursive: true });
  });

  async function start(): Promise<ServerProcess> {
    const place = ["--data", data, "--database", postgres.url, "--listen", "127.0.0.1:0"];
    const program = startProgram(process.execPath, [
      ...[UPKEEP_SERVER, "serve", ...place, "--auto-accept", "--json", "--log-format", "json"],
    ]);
    const line = await until("the server is ready", () => program.stdout().match(/^\{.*\}$/m)?.[0], {
      explain: program.output,
    });
    return { ...(JSON.parse(line) as Omit<ServerProcess, "program">), program };
  }

  test("one is killed in the middle: the fleet finishes on the other, and every device is counted once", async () => {
    const [killed, survivor] = servers;
    const administrator = servers.find((server) => server.administrator !== undefined)?.administrator;
    if (killed === undefined || survivor === undefined || administrator === undefined) throw new Error("no servers");
    const management = await ManagementClient.logIn(survivor.url, administrator.email, administrator.password);
    const content = await makeArtifact({ deviceType: DEVICE_TYPE });
    const form = new FormData();
    form.append("artifact", new Blob([content]), "a.mender");
    // What one server takes in, the other hands out.
    await (await ManagementClient.logIn(killed.url, administrator.email, administrator.password)).call(
      ...(["POST", "/api/management/v1/deployments/artifacts", form] as const),
    );
    const urls = servers.map(({ url }) => url);
    const devices = Array.from({ length: DEVICES }, (_, number) => new RoamingDevice(number, urls));
    await Promise.all(devices.map((device) => device.authorize()));
    const created = await management.call("POST", "/api/management/v1/deployments/deployments", {
      name: "in two phases",
      artifact_name: "release-1",
      all_devices: true,
      retries: 1,
      phases: [{ batch_size: 40, success_threshold: 50 }, { start_ts: new Date(0).toISOString() }],
    });
    const id = String(created.headers.get("location")).split("/").at(-1) ?? "";

    const successes = new EventEmitter().setMaxListeners(0);
    let installing = 0;
    const fleet = devices.map(async (device) => {
      const first = await device.poll(successes);
      expect(first.id).toBe(id);
      if (device.number % STUMBLES === 0) {
        await device.report(id, "downloading");
        await device.sendLog(id, "the first time");
        await device.report(id, "failure");
        expect((await device.poll(successes)).id).toBe(id);
      }
      await device.report(id, "downloading");
      expect((await device.download(first)).equals(content)).toBe(true);
      await device.report(id, "installing");
      installing += 1;
      if (installing === KILLED_AT) killed.program.child.kill("SIGKILL");
      await device.report(id, "rebooting");
      await device.report(id, "success");
      successes.emit(SUCCESS);
      await device.sendLog(id, "the last time");
    });
    await Promise.all(fleet);

    expect(await killed.program.ended).toBe("SIGKILL");
    // Both had their part in it.
    for (const url of urls) expect(devices.filter(({ reported }) => reported.has(url)).length).toBeGreaterThan(1);
    expect(await management.deployment(id)).toMatchObject({
      status: "finished",
      device_count: DEVICES,
      phases: [{ device_count: DEVICES * 0.4 }, { device_count: DEVICES * 0.6 }],
      statistics: {
        status: { success: DEVICES, failure: 0, pending: 0, downloading: 0, installing: 0, rebooting: 0 },
        total_size: DEVICES * content.length,
      },
    });
    const ended = await management.deviceDeployments(id);
    expect(ended).toHaveLength(DEVICES);
    expect(ended.every(({ log }) => log)).toBe(true);
    const attempts = ended.map((one) => (one as { attempts?: number }).attempts);
    expect(attempts.filter((count) => count === 2)).toHaveLength(DEVICES / STUMBLES);
    expect(attempts.filter((count) => count === 1)).toHaveLength(DEVICES - DEVICES / STUMBLES);
  });

  test("says 503 and why when the database is gone, and is ready again when it is back", async () => {
    const [, server] = servers;
    const ready = async (): Promise<Response> => fetch(`${server?.url}/ready`);
    expect((await ready()).status).toBe(200);
    const gone = new Set<string>();
    const back = postgres.crash(async () => {
      const answer = await ready();
      expect(answer.status).toBe(503);
      gone.add(((await answer.json()) as { error: string }).error);
      // The program itself is well.
      expect((await fetch(`${server?.url}/health`)).status).toBe(200);
    });
    await back;
    expect([...gone]).toEqual(["the records cannot be read: the server's database cannot be reached"]);
    await until("the server is ready again", async () => ((await ready()).status === 200 ? true : undefined));
  });
});
