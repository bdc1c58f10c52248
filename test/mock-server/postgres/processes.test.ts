import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { artifact, openTestDomain, TestDevice } from "../domain-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const DEVICES = 20;

interface ServerProcess {
  readonly url: string;
  readonly program: Program;
}

/** A device that goes on with the next server when one does not answer. */
class RoamingDevice {
  readonly #device: TestDevice;
  readonly #urls: readonly string[];
  #turn: number;
  #token = "";

  constructor(number: number, urls: readonly string[]) {
    this.#device = new TestDevice(JSON.stringify({ mac: `02:00:00:00:00:${number}` }));
    this.#urls = urls;
    this.#turn = number;
  }

  async #call(path: string, init: RequestInit): Promise<Response> {
    for (let tries = 0; tries < 20; tries += 1) {
      const url = this.#urls[this.#turn % this.#urls.length];
      try {
        const answer = await fetch(url + path, init);
        if (answer.status < 500) return answer;
      } catch (error) {
        // The server is gone: the answer may be lost, and so the same is sent again elsewhere.
        if (!(error instanceof TypeError)) throw error;
      }
      this.#turn += 1;
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

  async poll(): Promise<string> {
    const answer = await this.#json("POST", DEVICE_PATHS.nextV2, {
      device_provides: { device_type: "raspberrypi4", artifact_name: "factory" },
    });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { id: string }).id;
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
    return { url: (JSON.parse(line) as { url: string }).url, program };
  }

  test("one is killed in the middle: the fleet finishes on the other, and every device is counted once", async () => {
    const devices = Array.from(
      { length: DEVICES },
      (_, number) =>
        new RoamingDevice(
          number,
          servers.map(({ url }) => url),
        ),
    );
    await Promise.all(devices.map((device) => device.authorize()));
    const { domain } = await openTestDomain({}, postgres);
    await domain.artifacts.insert(artifact({ id: "a1" }));
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", allDevices: true });

    let installing = 0;
    const fleet = devices.map(async (device) => {
      expect(await device.poll()).toBe(id);
      await device.report(id, "downloading");
      await device.report(id, "installing");
      installing += 1;
      if (installing === DEVICES / 2) servers[0]?.program.child.kill("SIGKILL");
      await device.report(id, "rebooting");
      await device.report(id, "success");
    });
    await Promise.all(fleet);

    expect(await servers[0]?.program.ended).toBe("SIGKILL");
    expect(await domain.deployments.get(id)).toMatchObject({
      status: "finished",
      deviceCount: DEVICES,
      statistics: { success: DEVICES, pending: 0, downloading: 0, installing: 0, rebooting: 0 },
    });
    await domain.close();
  });
});
