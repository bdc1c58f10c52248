import { type AuthRequest, DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import type { DeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { refusal } from "./answers.ts";
import type { HttpClient, Question } from "./http.ts";

export interface Credentials {
  /** Server URLs in order of preference, without a slash at the end. */
  readonly servers: readonly string[];
  readonly tenantToken: string;
  readonly tier: string;
  readonly key: DeviceKey;
  /** The device's identity, as the JSON text that goes into the request. */
  readIdentity(): Promise<string>;
}

/** A server that has let the device in. */
export interface Session {
  readonly server: string;
  readonly token: string;
}

const WHAT = "authorising";

/** Logs in, and keeps the token in memory until it is told to forget it. */
export class Login {
  readonly #http: HttpClient;
  readonly #credentials: Credentials;
  #session: Session | undefined;
  #underWay: Promise<Session> | undefined;
  /** How many sessions there were: a new one may be with a server that knows less about the device. */
  sessions = 0;

  constructor(http: HttpClient, credentials: Credentials) {
    this.#http = http;
    this.#credentials = credentials;
  }

  /** The session, begun now if there is none. Those who ask at the same time wait for the same log in. */
  async session(signal?: AbortSignal): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    this.#underWay ??= this.#logIn(signal).finally(() => {
      this.#underWay = undefined;
    });
    this.#session = await this.#underWay;
    return this.#session;
  }

  /** Forget `session`, if it is still the one in use. */
  forget(session: Session | undefined = this.#session): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #logIn(signal?: AbortSignal): Promise<Session> {
    const { servers, tenantToken, tier, key } = this.#credentials;
    if (servers.length === 0) {
      throw new AgentError("no-server", "no server is configured: neither ServerURL nor Servers is set");
    }
    const wanted: AuthRequest = {
      id_data: await this.#credentials.readIdentity(),
      pubkey: key.publicPem,
      tier,
      ...(tenantToken === "" ? {} : { tenant_token: tenantToken }),
    };
    // Built and signed once: the signature is over exactly these bytes.
    const body = Buffer.from(JSON.stringify(wanted));
    const signature = key.sign(body);
    const failures: AgentError[] = [];
    for (const server of servers) {
      try {
        const token = await this.#askForToken(server, body, signature, signal);
        this.sessions++;
        return { server, token };
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        failures.push(error);
      }
    }
    throw joined(failures);
  }

  async #askForToken(server: string, body: Uint8Array, signature: string, signal?: AbortSignal): Promise<string> {
    const question: Question = {
      what: WHAT,
      method: "POST",
      url: `${server}${DEVICE_PATHS.authRequests}`,
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        // Servers ignore it here, and expect it to be there.
        authorization: "API_KEY",
        [SIGNATURE_HEADER]: signature,
      },
      body,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await this.#http.ask(question);
    if (answer.status !== 200) throw await refused(server, await refusal(answer, WHAT, this.#http.now()));
    const token = (await this.#http.text(answer, question)).trim();
    // It goes into a header as it is.
    if (/^[\x21-\x7e]+$/.test(token)) return token;
    throw new AgentError("answer-malformed", `${WHAT}: ${server} answered with something that is no token`, {
      retryable: true,
    });
  }
}

async function refused(server: string, error: AgentError): Promise<AgentError> {
  if (error.code !== "unauthorized") return error;
  const message = `${WHAT}: ${server} does not accept this device (yet): ${error.message}`;
  return new AgentError(error.code, message, { retryable: true, cause: error });
}

function joined(failures: readonly AgentError[]): AgentError {
  const [first, ...others] = failures;
  if (first === undefined) return new AgentError("no-server", "no server is configured");
  if (others.length === 0) return first;
  const waits = failures.map((failure) => failure.retryAfterMs ?? Number.POSITIVE_INFINITY);
  const waitMs = Math.min(...waits);
  return new AgentError(first.code, failures.map(({ message }) => message).join("; "), {
    retryable: failures.some(({ retryable }) => retryable),
    ...(Number.isFinite(waitMs) ? { retryAfterMs: waitMs } : {}),
    cause: first,
  });
}
