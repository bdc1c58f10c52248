import { type AuthRequest, DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import type { DeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { refusal } from "./answers.ts";
import type { Http, Question } from "./http.ts";

export interface Credentials {
  readonly tenantToken: string;
  readonly tier: string;
  /** The key, or a function that loads it, which is called for each login. */
  readonly key: DeviceKey | (() => Promise<DeviceKey>);
  /** The device's identity, as the JSON text of the request. */
  readIdentity(signal?: AbortSignal): Promise<string>;
}

/** The result of a login with a server. Each login makes a new object. */
export interface Session {
  readonly server: string;
  readonly token: string;
  /** Hash of the inventory that was sent in it; absent before. */
  inventory?: string;
}

/** A signed authentication request. The signature is over exactly these bytes. */
export interface SignedRequest {
  readonly body: Uint8Array;
  readonly signature: string;
}

const WHAT = "authorising";

/** Logs in, and keeps each server's token in memory until {@link forget} is called. */
export class Login {
  readonly #http: Http;
  readonly #credentials: Credentials;
  readonly #sessions = new Map<string, Session>();
  /** Absent while no login is under way. */
  #underWay: Map<string, Promise<Session>> | undefined;

  constructor(http: Http, credentials: Credentials) {
    this.#http = http;
    this.#credentials = credentials;
  }

  /** The session with `server`, if there is one. */
  with(server: string): Session | undefined {
    return this.#sessions.get(server);
  }

  /** A request that is signed on first use, once for all servers. */
  request(signal?: AbortSignal): () => Promise<SignedRequest> {
    let signed: Promise<SignedRequest> | undefined;
    return () => {
      signed ??= this.#sign(signal);
      return signed;
    };
  }

  /** The session with `server`, after a login if there is none. Concurrent calls share one login. */
  async begin(server: string, request: SignedRequest, signal?: AbortSignal): Promise<Session> {
    const known = this.#sessions.get(server);
    if (known !== undefined) return known;
    let underWay = this.#underWay?.get(server);
    if (underWay === undefined) {
      underWay = this.#askForToken(server, request, signal).finally(() => this.#ended(server));
      this.#underWay ??= new Map();
      this.#underWay.set(server, underWay);
    }
    const session = await underWay;
    this.#sessions.set(server, session);
    return session;
  }

  #ended(server: string): void {
    this.#underWay?.delete(server);
    if (this.#underWay?.size === 0) this.#underWay = undefined;
  }

  /** Forget `session`, if it is still in use. */
  forget(session: Session): void {
    if (this.#sessions.get(session.server) === session) this.#sessions.delete(session.server);
  }

  forgetAll(): void {
    this.#sessions.clear();
  }

  async #sign(signal: AbortSignal | undefined): Promise<SignedRequest> {
    const { tenantToken, tier } = this.#credentials;
    const key = typeof this.#credentials.key === "function" ? await this.#credentials.key() : this.#credentials.key;
    const wanted: AuthRequest = {
      id_data: await this.#credentials.readIdentity(signal),
      pubkey: key.publicPem,
      tier,
      ...(tenantToken === "" ? {} : { tenant_token: tenantToken }),
    };
    const body = Buffer.from(JSON.stringify(wanted));
    return { body, signature: await key.sign(body, signal) };
  }

  async #askForToken(server: string, request: SignedRequest, signal?: AbortSignal): Promise<Session> {
    const question: Question = {
      what: WHAT,
      method: "POST",
      url: `${server}${DEVICE_PATHS.authRequests}`,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        // Servers require the header and ignore its value.
        authorization: "API_KEY",
        [SIGNATURE_HEADER]: request.signature,
      },
      body: request.body,
      signal,
    };
    const answer = await this.#http.ask(question);
    if (answer.status !== 200) throw refused(server, await refusal(answer, WHAT, this.#http.now()));
    const token = (await this.#http.text(answer, question)).trim();
    // The token goes into a header unchanged.
    if (/^[\x21-\x7e]+$/.test(token)) return { server, token };
    throw new AgentError("answer-malformed", `${WHAT}: ${server} answered with something that is no token`, {
      retryable: true,
    });
  }
}

function refused(server: string, error: AgentError): AgentError {
  if (error.code !== "unauthorized") return error;
  const message = `${WHAT}: ${server} does not accept this device (yet): ${error.message}`;
  return new AgentError(error.code, message, { retryable: true, cause: error });
}
