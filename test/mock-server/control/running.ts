import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { onTestFinished } from "vitest";
import type { ServeSettings } from "../../../mock-server/cli/serve/options.ts";
import { startServing } from "../../../mock-server/cli/serve.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { TestDevice } from "../domain-fixture.ts";

export const CONTROL = "/api/test/v1";
export const POLL = "/api/devices/v2/deployments/device/deployments/next";
const LOGIN = "/api/devices/v1/authentication/auth_requests";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** The server as `serve --test-controls` runs it, in this process, with real sockets. */
export class Running {
  readonly url: string;
  readonly log: readonly string[];

  private constructor(url: string, log: readonly string[]) {
    this.url = url;
    this.log = log;
  }

  static async start(change: Partial<ServeSettings> = {}): Promise<Running> {
    const folder = mkdtempSync(join(tmpdir(), "upkeep-control-"));
    const log: string[] = [];
    const logger = createLogger({ level: "info", format: "json", write: (line) => log.push(line), now: () => 0 });
    const serving = await startServing(
      openSystem(),
      {
        dataDirectory: folder,
        listen: { host: "127.0.0.1", port: 0 },
        autoAccept: true,
        insecureNoAuth: true,
        testControls: "this-machine",
        deviceTokenLifeMs: 24 * 3_600_000,
        console: false,
        downloadLinkLifeMs: 3_600_000,
        ...change,
      },
      logger,
    );
    onTestFinished(async () => {
      await serving.stop(0);
      rmSync(folder, { recursive: true });
    });
    return new Running(serving.url, log);
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: isJson && text !== "" ? safeJson(text) : undefined,
    };
  }

  /** The control API. Fails the test unless it is answered with 2xx. */
  async control(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, CONTROL + path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  device(mac: string): WireDevice {
    return new WireDevice(this, mac);
  }
}

/** `undefined` for what is no JSON: some answers are malformed on purpose. */
function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A device as the server sees it. */
export class WireDevice {
  readonly mac: string;
  readonly #server: Running;
  readonly #keys: TestDevice;
  token = "";

  constructor(server: Running, mac: string) {
    this.#server = server;
    this.mac = mac;
    this.#keys = new TestDevice(JSON.stringify({ mac }));
  }

  async logIn(): Promise<Answer> {
    const { body, signature } = this.#keys.request();
    const answer = await this.#server.call("POST", LOGIN, Buffer.from(body).toString("utf8"), {
      "x-men-signature": signature,
    });
    if (answer.status === 200) this.token = answer.text;
    return answer;
  }

  poll(provides: Record<string, string> = { device_type: "board", artifact_name: "factory" }): Promise<Answer> {
    return this.ask("POST", POLL, { device_provides: provides });
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#server.call(method, path, body, { authorization: `Bearer ${this.token}` });
  }

  report(deployment: string, status: string): Promise<Answer> {
    return this.ask("PUT", `/api/devices/v1/deployments/device/deployments/${deployment}/status`, { status });
  }
}
