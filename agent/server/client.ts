import { hash as sha256 } from "node:crypto";
import {
  ADAPTIVE_HEADER,
  type AdaptiveOffer,
  type AdaptiveTransfer,
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
import type { Bearer } from "../system/axios-over-door.ts";
import { refusal } from "./answers.ts";
import type { ArtifactRanges, ArtifactSource, DeploymentServer, ReportAnswer } from "./deployment-server.ts";
import type { Downloads } from "./download.ts";
import { joined, type Servers } from "./failover.ts";
import { type Http, parseAnswer, type Question } from "./http.ts";
import type { Link } from "./links.ts";
import type { Login, Session, SignedRequest } from "./login.ts";
import { isSameOffer, objectsOf } from "./offered.ts";
import type { RangedObjects, RangesOptions } from "./ranges.ts";

interface Call extends Pick<Question, "what" | "method"> {
  readonly signal: AbortSignal | undefined;
  readonly path: string;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body of answers with this status is read. */
  readonly reads?: number;
}

const ACCEPT = { accept: "application/json" } as const;
const ACCEPT_AND_SEND = { ...ACCEPT, "content-type": "application/json" } as const;

/** The answer to a call, and the session of the server that gave it. */
interface Answered {
  readonly answer: HttpResponse;
  readonly session: Session;
  /** Empty unless the status is the one of `reads`. */
  readonly text: string;
}

const ADAPTIVE = { [ADAPTIVE_HEADER]: "1" };

const POLLING = "asking for a deployment";

/**
 * How many times in a row another server may answer that it does not know a deployment, while the one that offered it is
 * unreachable, before the answer counts.
 */
const DOUBTS_MAX = 30;

function isGood(answer: HttpResponse): boolean {
  return answer.status >= 200 && answer.status < 300;
}

/** The server of the last deployment, and how many times another one has answered that it does not know it. */
interface Origin {
  readonly deployment: string;
  readonly server: string | undefined;
  readonly doubts: number;
}

/** Begins to read parts of objects. */
export type OpenRanges = (
  objects: RangedObjects,
  options: Pick<RangesOptions, "renew" | "signal">,
) => Promise<ArtifactRanges>;

/** Client of the device APIs of the configured servers. */
export class DeviceClient implements DeploymentServer {
  readonly #http: Http;
  readonly #login: Login;
  readonly #downloads: Downloads;
  readonly #servers: Servers;
  #lastSession: Session | undefined;
  #lastProvides: DeviceProvides | undefined;
  #origin: Origin | undefined;

  /** Absent if the device does not download adaptively, whatever it is offered. */
  readonly ranges: DeploymentServer["ranges"];

  /** @param openRanges Absent: the device does not download adaptively, and does not say that it can. */
  constructor(http: Http, login: Login, downloads: Downloads, servers: Servers, openRanges?: OpenRanges) {
    this.#http = http;
    this.#login = login;
    this.#downloads = downloads;
    this.#servers = servers;
    this.ranges = openRanges && ((...wanted) => this.#ranges(openRanges, ...wanted));
  }

  /** Ask for a deployment; `undefined` if there is none. */
  async poll(provides: DeviceProvides, signal?: AbortSignal): Promise<DeploymentInstructions | undefined> {
    this.#lastProvides = provides;
    const headers = this.ranges === undefined ? {} : ADAPTIVE;
    let { answer, text, session } = await this.#call({
      what: POLLING,
      method: "POST",
      path: DEVICE_PATHS.nextV2,
      json: { device_provides: provides },
      headers,
      reads: 200,
      signal,
    });
    if (answer.status === 404) {
      // The server has only the first version of the API.
      answer.cancel();
      const { artifact_name, device_type } = provides;
      const query = new URLSearchParams({ artifact_name, device_type });
      ({ answer, text, session } = await this.#call({
        what: POLLING,
        method: "GET",
        path: `${DEVICE_PATHS.nextV1}?${query}`,
        headers,
        reads: 200,
        signal,
      }));
    }
    if (answer.status === 204) {
      answer.cancel();
      return undefined;
    }
    if (answer.status !== 200) throw await this.#refusal(answer, POLLING);
    const parsed = DeploymentInstructions.safeParse(parseAnswer(text, POLLING));
    if (parsed.success) {
      this.#origin = { deployment: parsed.data.id, server: session.server, doubts: 0 };
      return parsed.data;
    }
    throw new AgentError("answer-malformed", `${POLLING}: the server's instructions: ${describeFaults(parsed.error)}`, {
      retryable: true,
    });
  }

  async report(
    deployment: string,
    status: ReportedStatus,
    signal?: AbortSignal,
    transfer?: AdaptiveTransfer,
  ): Promise<ReportAnswer> {
    const what = `reporting ${status} for deployment ${deployment}`;
    const { answer, session } = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.status(encodeURIComponent(deployment)),
      json: { status, adaptive: transfer },
      signal,
    });
    if (!isGood(answer) && answer.status !== 409 && answer.status !== 404) throw await this.#refusal(answer, what);
    answer.cancel();
    if (answer.status === 404) this.#demandOrigin(deployment, session.server, what);
    return answer.status === 409 ? "aborted" : answer.status === 404 ? "gone" : "accepted";
  }

  /**
   * Accept that a deployment is gone only from the server that offered it, or while no server is avoided: another server
   * may not know it.
   * @throws AgentError `server-unreachable`
   */
  #demandOrigin(deployment: string, server: string, what: string): void {
    const known = this.#origin?.deployment === deployment ? this.#origin : undefined;
    const { server: origin, doubts } = known ?? { server: undefined, doubts: 0 };
    if (origin === server || !this.#servers.impaired || doubts >= DOUBTS_MAX) return;
    this.#origin = { deployment, server: origin, doubts: doubts + 1 };
    throw new AgentError(
      "server-unreachable",
      `${what}: ${server} knows of no such deployment, and ${origin ?? "a server before it"} cannot be reached`,
      { retryable: true },
    );
  }

  async sendLog(
    deployment: string,
    messages: readonly LogMessage[],
    signal?: AbortSignal,
  ): Promise<"accepted" | "refused"> {
    const what = `sending the log of deployment ${deployment}`;
    const { answer } = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.log(encodeURIComponent(deployment)),
      json: { messages },
      signal,
    });
    if (!isGood(answer) && answer.status !== 413 && answer.status !== 404) throw await this.#refusal(answer, what);
    answer.cancel();
    return answer.status === 413 ? "refused" : "accepted";
  }

  /**
   * Replace the inventory on the server, unless the same one was sent in this session.
   * @returns False if nothing was sent.
   */
  async sendInventory(attributes: readonly InventoryAttribute[], signal?: AbortSignal): Promise<boolean> {
    const what = "sending the inventory";
    const hash = sha256("sha256", JSON.stringify(attributes), "base64");
    const current = await this.#anywhere(signal, async ({ session }) => session);
    if (current.inventory === hash) return false;
    const { answer, session } = await this.#call({
      what,
      method: "PUT",
      path: DEVICE_PATHS.inventory,
      json: attributes,
      signal,
    });
    if (!isGood(answer)) throw await this.#refusal(answer, what);
    answer.cancel();
    session.inventory = hash;
    return true;
  }

  /** True if the inventory was sent in the current session: a server may have lost it before a new login. */
  get hasInventory(): boolean {
    return this.#lastSession?.inventory !== undefined;
  }

  async loginAfresh(signal?: AbortSignal): Promise<void> {
    this.#login.forgetAll();
    await this.#anywhere(signal, async () => undefined);
  }

  async instructionsOf(
    deployment: string,
    provides: DeviceProvides,
    signal?: AbortSignal,
  ): Promise<DeploymentInstructions | undefined> {
    const offered = await this.poll(provides, signal);
    return offered?.id === deployment ? offered : undefined;
  }

  async #ranges(
    openRanges: OpenRanges,
    instructions: DeploymentInstructions,
    offer: AdaptiveOffer,
    signal?: AbortSignal,
  ): Promise<ArtifactRanges> {
    const server = this.#origin?.server;
    return await openRanges(objectsOf(instructions, offer, server), {
      signal,
      renew: async () => {
        const offered = await this.#again(instructions.id, signal);
        if (offered === undefined) return undefined;
        const { adaptive } = offered.artifact;
        if (adaptive === undefined || !isSameOffer(adaptive, offer)) {
          throw new AgentError("adaptive-index-wrong", "the server does not offer the same index any more");
        }
        return objectsOf(offered, adaptive, this.#origin?.server);
      },
    });
  }

  async download(
    instructions: DeploymentInstructions,
    signal?: AbortSignal,
    reachedBytes?: number,
  ): Promise<ArtifactSource> {
    const { uri, expire } = instructions.artifact.source;
    const link = { url: uri, expire, server: this.#origin?.server, renew: () => this.#renew(instructions.id, signal) };
    return await this.#downloads.start(link, signal, reachedBytes);
  }

  /** Ask for a new link to the artifact of `deployment`. */
  async #renew(deployment: string, signal?: AbortSignal): Promise<Link | undefined> {
    const offered = await this.#again(deployment, signal);
    if (offered === undefined) return undefined;
    const { uri, expire } = offered.artifact.source;
    return { url: uri, expire, server: this.#origin?.server };
  }

  /** Ask for the instructions of `deployment` again, in the words of the last poll. */
  async #again(deployment: string, signal?: AbortSignal): Promise<DeploymentInstructions | undefined> {
    if (this.#lastProvides === undefined) return undefined;
    return await this.instructionsOf(deployment, this.#lastProvides, signal);
  }

  /** One call with the token, to the first server that works. */
  async #call(call: Call): Promise<Answered> {
    return await this.#anywhere(call.signal, async (login) => {
      const asked = await this.#ask(login, call);
      // A server that fails is passed over like one that cannot be reached.
      if (asked.answer.status >= 500) throw await this.#refusal(asked.answer, call.what);
      return asked;
    });
  }

  async #ask(login: ServerLogin, call: Call): Promise<Answered> {
    const { what, method, path, json, headers, reads, signal } = call;
    const own = json === undefined ? ACCEPT : ACCEPT_AND_SEND;
    const question: Question = {
      what,
      method,
      url: `${login.server}${path}`,
      headers: headers === undefined ? own : { ...own, ...headers },
      body: json === undefined ? undefined : JSON.stringify(json),
      signal,
      bearer: login,
    };
    const answer = await this.#http.ask(question);
    if (answer.status === 401) {
      this.#login.forget(login.session);
      throw await this.#refusal(answer, call.what);
    }
    const text = answer.status === reads ? await this.#http.text(answer, question) : "";
    return { answer, session: login.session, text };
  }

  /**
   * Do something with the first server that works. Servers that cannot be reached, fail, or do not accept the device are
   * passed over, and come last for a while.
   */
  async #anywhere<T>(signal: AbortSignal | undefined, action: (login: ServerLogin) => Promise<T>): Promise<T> {
    if (this.#servers.count === 0) {
      throw new AgentError("no-server", "no server is configured: neither ServerURL nor Servers is set");
    }
    const request = this.#login.request(signal);
    const failures: AgentError[] = [];
    for (const server of this.#servers.inOrder()) {
      // Signing fails for a reason of the device, which no other server can help.
      if (this.#login.with(server) === undefined) await request();
      let login: ServerLogin | undefined;
      try {
        login = await ServerLogin.at(server, this.#login, request, signal);
        const done = await action(login);
        this.#servers.worked(server);
        return done;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof AgentError)) throw error;
        this.#servers.failed(server);
        failures.push(error);
      } finally {
        if (login !== undefined) this.#lastSession = login.session;
      }
    }
    throw joined(failures);
  }

  #refusal(answer: HttpResponse, what: string): Promise<AgentError> {
    return refusal(answer, what, this.#http.now());
  }
}

/** The session with one server during a call. */
class ServerLogin implements Bearer {
  readonly #login: Login;
  readonly #request: () => Promise<SignedRequest>;
  readonly #signal: AbortSignal | undefined;
  session: Session;

  private constructor(
    login: Login,
    request: () => Promise<SignedRequest>,
    signal: AbortSignal | undefined,
    session: Session,
  ) {
    this.#login = login;
    this.#request = request;
    this.#signal = signal;
    this.session = session;
  }

  /** Logs in, unless there is a session. */
  static async at(
    server: string,
    login: Login,
    request: () => Promise<SignedRequest>,
    signal: AbortSignal | undefined,
  ): Promise<ServerLogin> {
    const session = login.with(server) ?? (await login.begin(server, await request(), signal));
    return new ServerLogin(login, request, signal, session);
  }

  get server(): string {
    return this.session.server;
  }

  get token(): string {
    return this.session.token;
  }

  async renew(): Promise<void> {
    this.#login.forget(this.session);
    this.session = await this.#login.begin(this.server, await this.#request(), this.#signal);
  }
}
