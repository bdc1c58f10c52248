import { createHash } from "node:crypto";
import {
  DEVICE_PATHS,
  DeploymentInstructions,
  type DeviceProvides,
  describeFaults,
  type InventoryAttribute,
  type LogMessage,
  type ReportedStatus,
} from "@upkeep/shared/protocol";
import type { HttpResponse } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { ArtifactSource, DeploymentServer, ReportAnswer } from "../update/ports.ts";
import { refusal } from "./answers.ts";
import type { Downloads } from "./download.ts";
import { type HttpClient, parseAnswer, type Question } from "./http.ts";
import type { Login } from "./login.ts";

type Call = Omit<Question, "url" | "headers" | "body"> & { readonly path: string; readonly json?: unknown };

const POLLING = "asking for a deployment";

function isGood(answer: HttpResponse): boolean {
  return answer.status >= 200 && answer.status < 300;
}

/** The device APIs of one server, as this device uses them. */
export class DeviceClient implements DeploymentServer {
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #downloads: Downloads;
  /** What the server has of the inventory: its hash, and the session in which it was sent. */
  #sentInventory: string | undefined;

  constructor(http: HttpClient, login: Login, downloads: Downloads) {
    this.#http = http;
    this.#login = login;
    this.#downloads = downloads;
  }

  /** Ask what to install; `undefined` if there is nothing. */
  async poll(provides: DeviceProvides, signal?: AbortSignal): Promise<DeploymentInstructions | undefined> {
    let [answer, question] = await this.#call({
      what: POLLING,
      method: "POST",
      path: DEVICE_PATHS.nextV2,
      json: { device_provides: provides },
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.status === 404) {
      // A server that has only the first version of the API.
      answer.cancel();
      const { artifact_name, device_type } = provides;
      const query = new URLSearchParams({ artifact_name, device_type });
      [answer, question] = await this.#call({
        what: POLLING,
        method: "GET",
        path: `${DEVICE_PATHS.nextV1}?${query}`,
        ...(signal === undefined ? {} : { signal }),
      });
    }
    if (answer.status === 204) {
      answer.cancel();
      return undefined;
    }
    if (answer.status !== 200) throw await this.#refusal(answer, POLLING);
    const parsed = DeploymentInstructions.safeParse(parseAnswer(await this.#http.text(answer, question), POLLING));
    if (parsed.success) return parsed.data;
    throw new AgentError("answer-malformed", `${POLLING}: the server's instructions: ${describeFaults(parsed.error)}`, {
      retryable: true,
    });
  }

  async report(deployment: string, status: ReportedStatus, signal?: AbortSignal): Promise<ReportAnswer> {
    const what = `reporting ${status} for deployment ${deployment}`;
    const [answer] = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.status(encodeURIComponent(deployment)),
      json: { status },
      ...(signal === undefined ? {} : { signal }),
    });
    if (!isGood(answer) && answer.status !== 409 && answer.status !== 404) throw await this.#refusal(answer, what);
    answer.cancel();
    return answer.status === 409 ? "aborted" : answer.status === 404 ? "gone" : "accepted";
  }

  async sendLog(
    deployment: string,
    messages: readonly LogMessage[],
    signal?: AbortSignal,
  ): Promise<"accepted" | "refused"> {
    const what = `sending the log of deployment ${deployment}`;
    const [answer] = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.log(encodeURIComponent(deployment)),
      json: { messages },
      ...(signal === undefined ? {} : { signal }),
    });
    if (!isGood(answer) && answer.status !== 413 && answer.status !== 404) throw await this.#refusal(answer, what);
    answer.cancel();
    return answer.status === 413 ? "refused" : "accepted";
  }

  /**
   * Replace the inventory that the server has, unless it has just this one from this session.
   * @returns False if there was nothing to send.
   */
  async sendInventory(attributes: readonly InventoryAttribute[], signal?: AbortSignal): Promise<boolean> {
    const what = "sending the inventory";
    const hash = createHash("sha256").update(JSON.stringify(attributes)).digest("base64");
    await this.#login.session(signal);
    if (this.#sentInventory === `${this.#login.sessions} ${hash}`) return false;
    const [answer] = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.inventory,
      json: attributes,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!isGood(answer)) throw await this.#refusal(answer, what);
    answer.cancel();
    this.#sentInventory = `${this.#login.sessions} ${hash}`;
    return true;
  }

  /** True if this session has seen the inventory: after a new log in the server may have lost it. */
  get hasInventory(): boolean {
    return this.#sentInventory?.startsWith(`${this.#login.sessions} `) === true;
  }

  async loginAfresh(signal?: AbortSignal): Promise<void> {
    this.#login.forget();
    await this.#login.session(signal);
  }

  download(instructions: DeploymentInstructions, signal?: AbortSignal): Promise<ArtifactSource> {
    const { uri, expire } = instructions.artifact.source;
    return this.#downloads.start({ url: uri, expire }, signal);
  }

  /** One call with the token; on a 401 a new log in and the same call once more. */
  async #call(call: Call): Promise<[HttpResponse, Question]> {
    const { path, json, ...rest } = call;
    for (let again = false; ; again = true) {
      const session = await this.#login.session(call.signal);
      const question: Question = {
        ...rest,
        url: `${session.server}${path}`,
        headers: {
          accept: "application/json",
          authorization: `Bearer ${session.token}`,
          ...(json === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      };
      const answer = await this.#http.ask(question);
      if (answer.status !== 401) return [answer, question];
      this.#login.forget(session);
      if (again) throw await this.#refusal(answer, call.what);
      answer.cancel();
    }
  }

  #refusal(answer: HttpResponse, what: string): Promise<AgentError> {
    return refusal(answer, what, this.#http.now());
  }
}
