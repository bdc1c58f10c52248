import { given } from "@upkeep/shared/given";
import {
  collectText,
  type HttpBody,
  type HttpRequest,
  type HttpResponse,
  isSystemError,
  LinkedController,
  type System,
  type TlsOptions,
} from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import {
  type Axios,
  axiosOverDoor,
  type Bearer,
  type DoorOptions,
  type DoorRequest,
  type DoorResponse,
  type InterceptedRequest,
} from "../system/axios-over-door.ts";
import { header, unaskedEncoding } from "./answers.ts";
import { connectionFault } from "./faults.ts";
import { type Proxies, proxyFor } from "./proxies.ts";
import { isRedirect, keepsSecrets, redirectTarget } from "./redirects.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;

/** Secret headers: a redirect to another server is followed without them. */
const FOR_ONE_SERVER = ["authorization", "x-men-signature"];

export interface HttpSettings {
  readonly tls: TlsOptions;
  readonly proxies: Proxies;
  /** Hosts other than the server itself that a server may redirect to. */
  readonly redirectHosts: readonly string[];
  /** URLs of the configured servers: redirects between them keep token and body. */
  readonly servers: readonly string[];
  readonly connectionIdleMs: number;
  /** Limit of a whole exchange; of a download, until its content begins. */
  readonly answerMsMax: number;
  /** Of this program, such as `0.1.0`. */
  readonly version: string;
}

export type HttpSystem = Pick<System, "clock" | "timers" | "network">;

export type Question = Pick<HttpRequest, "method" | "url"> & {
  readonly body?: HttpRequest["body"] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Subject for messages: `polling for a deployment`. */
  readonly what: string;
  readonly bearer?: Bearer;
  /** The answer's body is long: it has no time limit as long as bytes arrive. */
  readonly streams?: true;
  /** A redirect may lead from https to http. */
  readonly mayLoseTls?: boolean;
};

/** Asks servers as this device does. */
export type Http = Pick<HttpClient, "ask" | "text" | "fault" | "now">;

/**
 * Requests with the settings of this device, through one axios instance over the door; faults of the connection become
 * AgentErrors. Failover is not an interceptor, because each server has a session of its own: the device client does it.
 * Later attempts are the update engine's, which journals between them.
 */
export class HttpClient {
  readonly #system: HttpSystem;
  readonly #settings: HttpSettings;
  readonly #axios: Axios;
  /** Requests so far. */
  #sent = 0;

  constructor(system: HttpSystem, settings: HttpSettings) {
    this.#system = system;
    this.#settings = settings;
    this.#axios = axiosOverDoor(system.network, { "user-agent": `Upkeep/${settings.version}` });
    const { request, response } = this.#axios.interceptors;
    request.use((config) => this.#identify(config));
    request.use(authorize);
    response.use((answer) => this.#renewToken(answer));
    response.use((answer) => this.#followRedirect(answer));
    response.use(refusePage);
    response.use(refuseEncoding);
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.#system.clock.now();
  }

  /** The answer, after redirects. The caller must read or cancel its body: until then the exchange is under way. */
  async ask(question: Question): Promise<HttpResponse> {
    const { signal, endLimit, end } = this.#limited(question);
    try {
      const { what, method, url, headers, body, bearer, mayLoseTls } = question;
      const { data: answer } = await this.#send({
        what,
        method,
        url,
        ...given({ headers, data: body, bearer, mayLoseTls }),
        door: (target) => this.#doorOptions(target, signal),
      });
      if (question.streams) endLimit();
      const cancel = (): void => {
        end();
        answer.cancel();
      };
      return { ...answer, body: endingWith(answer.body, end), cancel };
    } catch (error) {
      end();
      throw error;
    }
  }

  #doorOptions(url: string, signal: AbortSignal): DoorOptions {
    const { tls, proxies, connectionIdleMs } = this.#settings;
    return { tls, idleTimeoutMs: connectionIdleMs, signal, ...given({ proxy: proxyFor(proxies, url) }) };
  }

  /** The text of a good answer. */
  async text(answer: HttpResponse, question: Question): Promise<string> {
    try {
      return await this.#translate(question, () => collectText(answer.body, ANSWER_BYTES_MAX));
    } finally {
      answer.cancel();
    }
  }

  fault(error: unknown, question: Pick<Question, "what" | "url">): unknown {
    return isSystemError(error) ? connectionFault(error, question.what, question.url, this.now()) : error;
  }

  /**
   * A signal that is aborted with the question's signal, and when the exchange takes too long. `endLimit` ends the time
   * limit; `end` also detaches from the question's signal, which would otherwise keep the listener.
   */
  #limited({ signal, what, url }: Question): { signal: AbortSignal; endLimit: () => void; end: () => void } {
    const { answerMsMax } = this.#settings;
    const limit = new LinkedController(signal);
    const timer = this.#system.timers.after(answerMsMax, () => {
      const host = URL.canParse(url) ? new URL(url).host : url;
      const message = `${what}: ${host}: the exchange was not over after ${answerMsMax / 1000} s`;
      limit.abort(new AgentError("connection-stalled", message, { retryable: true }));
    });
    return {
      signal: limit.signal,
      endLimit: () => timer.cancel(),
      end: () => {
        timer.cancel();
        limit.release();
      },
    };
  }

  /** Send a request; the error of a connection names the host that was asked. */
  async #send(config: DoorRequest): Promise<DoorResponse> {
    const { what = "", url = "" } = config;
    return await this.#translate({ what, url }, () => this.#axios.request(config));
  }

  /** Request interceptor: names the request, so that the server's log can be searched for it. */
  #identify(config: InterceptedRequest): InterceptedRequest {
    this.#sent += 1;
    config.headers.set("x-men-requestid", `${this.now().toString(36)}-${this.#sent.toString(36)}`);
    return config;
  }

  /** Response interceptor: a refused token is renewed once, and the request sent again. */
  async #renewToken(response: DoorResponse): Promise<DoorResponse> {
    const { config, data: answer } = response;
    if (answer.status !== 401 || config.bearer === undefined || config.renewed) return response;
    answer.cancel();
    await config.bearer.renew();
    return await this.#send({ ...config, renewed: true });
  }

  /** Response interceptor: follows a redirect as far as the settings allow it. */
  async #followRedirect(response: DoorResponse): Promise<DoorResponse> {
    const { config, data: answer } = response;
    if (!isRedirect(answer)) return response;
    answer.cancel();
    const { redirectHosts, servers } = this.#settings;
    const { url = "", method = "", what = "", redirects = 0, mayLoseTls } = config;
    const asked = { url, method: method.toUpperCase(), what, ...given({ mayLoseTls }) };
    const target = redirectTarget(answer, asked, redirects, redirectHosts, servers);
    const next = { ...config, url: target, redirects: redirects + 1 };
    if (keepsSecrets(url, target, servers)) return await this.#send(next);
    for (const name of FOR_ONE_SERVER) config.headers.delete(name);
    return await this.#send({ ...next, bearer: undefined });
  }

  async #translate<T>(question: Pick<Question, "what" | "url">, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw this.fault(error, question);
    }
  }
}

/** Request interceptor: the session's token, as it is now. */
function authorize(config: InterceptedRequest): InterceptedRequest {
  if (config.bearer !== undefined) config.headers.set("authorization", `Bearer ${config.bearer.token}`);
  return config;
}

/**
 * Response interceptor: a good answer that is an HTML page comes from an intermediary, such as a captive portal that wants
 * a login first; the request has not reached the server.
 */
function refusePage(response: DoorResponse): DoorResponse {
  const { data: answer, config } = response;
  const { status, headers } = answer;
  if (status >= 300 || !/^text\/html\b/i.test(header(headers, "content-type") ?? "")) return response;
  const { what, url = "" } = config;
  answer.cancel();
  throw new AgentError(
    "answer-malformed",
    `${what}: ${new URL(url).host} answered with a page: does a portal stand between?`,
    {
      retryable: true,
    },
  );
}

/**
 * Response interceptor: a compressed answer, although only plain ones are asked for, comes from an intermediary or a server
 * that is set up wrongly. It is not unpacked: the parts of a download that goes on must be those of the artifact.
 */
function refuseEncoding(response: DoorResponse): DoorResponse {
  const { data: answer, config } = response;
  const encoding = unaskedEncoding(answer.headers);
  if (answer.status >= 300 || answer.status === 204 || encoding === undefined) return response;
  const { what, url = "" } = config;
  answer.cancel();
  throw new AgentError(
    "answer-encoded",
    `${what}: ${new URL(url).host} answered in the content encoding ${encoding}, which was not asked for`,
    { retryable: true },
  );
}

/** `body`, calling `end` when it has ended, failed or was abandoned. */
function endingWith(body: HttpBody, end: () => void): HttpBody {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* body;
      } finally {
        end();
      }
    },
  };
}

/** The JSON in an answer's text. */
export function parseAnswer(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw new AgentError("answer-malformed", `${what}: the server's answer is not JSON: ${shown}`, {
      retryable: true,
      cause: error,
    });
  }
}
