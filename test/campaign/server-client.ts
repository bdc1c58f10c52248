import { collectText, type HttpMethod, type HttpResponse, type System } from "@upkeep/shared/system";
import type { DaemonServer } from "../../agent/daemon/daemon.ts";
import { AgentError } from "../../agent/errors.ts";
import type { ArtifactSource, DeploymentServer, ReportAnswer } from "../../agent/update/index.ts";

const SERVER = "http://server";
const IDLE_TIMEOUT_MS = 300_000;

/** The model server as a device sees it: each call is one exchange on the simulated network. */
export class ModelClient implements DeploymentServer, DaemonServer {
  readonly hasInventory = true;
  readonly #system: Pick<System, "network">;

  constructor(system: Pick<System, "network">) {
    this.#system = system;
  }

  async report(_deployment: string, status: string, signal?: AbortSignal): Promise<ReportAnswer> {
    const code = await this.#small("PUT", "/status", status, signal);
    if (code === 409) return "aborted";
    return code === 404 ? "gone" : "accepted";
  }

  async sendLog(_deployment: string, messages: readonly unknown[], signal?: AbortSignal): Promise<"accepted"> {
    await this.#small("PUT", "/log", String(messages.length), signal);
    return "accepted";
  }

  async loginAfresh(signal?: AbortSignal): Promise<void> {
    await this.#small("POST", "/login", "", signal);
  }

  async download(_instructions: unknown, signal?: AbortSignal): Promise<ArtifactSource> {
    const response = await this.#request("GET", "/artifact", undefined, signal);
    return {
      sizeBytes: Number(response.headers["content-length"]),
      content: response.body,
      close: async () => response.cancel(),
    };
  }

  async poll(_provides: unknown, signal?: AbortSignal) {
    const response = await this.#request("POST", "/next", "", signal);
    const id = await this.#text(response);
    return response.status === 204 ? undefined : { id, artifact: { source: { uri: `${SERVER}/artifact` } } };
  }

  async sendInventory(_attributes: unknown, signal?: AbortSignal): Promise<boolean> {
    await this.#small("PUT", "/inventory", "", signal);
    return true;
  }

  async #small(method: HttpMethod, path: string, body: string, signal: AbortSignal | undefined): Promise<number> {
    const response = await this.#request(method, path, body, signal);
    await this.#text(response);
    return response.status;
  }

  async #text(response: HttpResponse): Promise<string> {
    try {
      return await collectText(response.body, 1000);
    } catch (cause) {
      throw new AgentError("connection", "the answer broke off", { cause, retryable: true });
    }
  }

  async #request(
    method: HttpMethod,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    try {
      return await this.#system.network.request({
        method,
        url: SERVER + path,
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new AgentError("connection", `no answer to ${method} ${path}: ${String(cause)}`, {
        cause,
        retryable: true,
      });
    }
  }
}
