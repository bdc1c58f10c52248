import * as http from "node:http";
import * as https from "node:https";
import { Readable } from "node:stream";
import { rootCertificates } from "node:tls";
import { given } from "@upkeep/shared/given";
import {
  type HttpBody,
  type HttpHeaders,
  type HttpRequest,
  type HttpResponse,
  type Network,
  SystemError,
  type TlsOptions,
} from "@upkeep/shared/system";
import { asSystemError, refused } from "./faults.ts";
import { Semaphore } from "./semaphore.ts";

/** As the agent keeps them: for the next request of a round, not until the next poll. */
const KEPT_MS = 4000;

/** Requests that may be made twice (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/** A request whose body may be read while it is sent; its length is in the header `content-length`. */
export interface StreamedRequest extends Omit<HttpRequest, "body"> {
  readonly body?: HttpRequest["body"] | HttpBody;
}

export interface NetworkOptions {
  /** Limit of connections to one server at once; further requests wait. Default: 64. */
  readonly connectionsMax?: number;
  /** Connections are used again. Default: true. */
  readonly keepAlive?: boolean;
}

/**
 * Requests of the commands that talk to a server: HTTP/1.1, with connections that are kept for a while. Redirects
 * are not followed; proxies and keys in hardware are refused with ENOSYS.
 */
export class NodeNetwork implements Network {
  readonly #pool: https.AgentOptions;
  readonly #plain: http.Agent;
  /** One for each way of trusting. */
  readonly #secure = new Map<string, https.Agent>();
  readonly #permits: Semaphore;

  constructor({ connectionsMax = 64, keepAlive = true }: NetworkOptions = {}) {
    this.#permits = new Semaphore(connectionsMax);
    this.#pool = { keepAlive, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, timeout: KEPT_MS };
    this.#plain = new http.Agent(this.#pool);
  }

  async request(request: StreamedRequest): Promise<HttpResponse> {
    if (request.proxy !== undefined) throw refused("uses no proxy for requests of its own");
    if (request.tls?.keyInEngine !== undefined) throw refused("uses no keys in hardware");
    const agent = request.url.startsWith("https:") ? this.#tlsAgent(request.tls) : this.#plain;
    for (;;) {
      await this.#permits.acquire(request.signal);
      const outcome = await attempt(request, agent, () => this.#permits.release());
      if ("answer" in outcome) return outcome.answer;
      // A kept connection that the peer had closed meanwhile tells nothing about the peer.
      if (!outcome.stale || !IDEMPOTENT.has(request.method) || isStream(request.body)) throw outcome.fault;
    }
  }

  /** Close the connections that are kept. */
  close(): void {
    this.#plain.destroy();
    for (const agent of this.#secure.values()) agent.destroy();
  }

  #tlsAgent({ trusted, certificate, key, skipVerify }: TlsOptions = {}): https.Agent {
    const name = JSON.stringify([trusted, certificate, key, skipVerify]);
    const known = this.#secure.get(name);
    if (known !== undefined) return known;
    const agent = new https.Agent({
      ...this.#pool,
      ...(trusted === undefined ? {} : { ca: [...rootCertificates, trusted] }),
      ...given({ cert: certificate, key }),
      rejectUnauthorized: skipVerify !== true,
      minVersion: "TLSv1.2",
    });
    this.#secure.set(name, agent);
    return agent;
  }
}

function isStream(body: StreamedRequest["body"]): body is HttpBody {
  return body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
}

function stalled({ url, idleTimeoutMs }: StreamedRequest): SystemError {
  return new SystemError("ETIMEDOUT", `${new URL(url).host} sent and took nothing for ${idleTimeoutMs / 1000} s`);
}

function brokenOff(url: string, cause?: SystemError): SystemError {
  const message = `${new URL(url).host} closed the connection before the end`;
  return new SystemError("ECONNRESET", message, cause === undefined ? {} : { cause });
}

type Outcome = { readonly answer: HttpResponse } | { readonly fault: unknown; readonly stale: boolean };

/** @param onOver Called once, when nothing of the exchange is under way any more. */
function attempt(request: StreamedRequest, agent: http.Agent, onOver: () => void): Promise<Outcome> {
  return new Promise<Outcome>((resolve, reject) => {
    const { method, url, headers = {}, body, signal, idleTimeoutMs } = request;
    if (signal?.aborted) {
      onOver();
      reject(signal.reason);
      return;
    }
    // Not request.setTimeout: until the connection is made, the pool's own limit for idle ones would count.
    const options = { method, agent, headers: { ...headers, ...lengthOf(request) }, timeout: idleTimeoutMs };
    const made = (url.startsWith("https:") ? https : http).request(url, options);
    let told = false;
    const tell = (outcome: Outcome): void => {
      told = true;
      resolve(outcome);
    };
    const onAbort = (): void => {
      made.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    made.once("timeout", () => made.destroy(stalled(request)));
    made.once("close", () => {
      signal?.removeEventListener("abort", onAbort);
      onOver();
      // Whatever else there was to tell has been told by now; most requests have their answer, and need no error made.
      if (!told) tell({ fault: brokenOff(url), stale: made.reusedSocket });
    });
    made.on("error", (error) => {
      const fault = asSystemError(error);
      const closed = fault instanceof SystemError && (fault.code === "ECONNRESET" || fault.code === "EPIPE");
      tell({ fault, stale: closed && made.reusedSocket });
    });
    made.once("response", (message) => tell({ answer: answerOf(message, request) }));
    if (isStream(body)) sendStream(body, made);
    else made.end(body);
  });
}

/** An error of the body ends the request with it; an answer before its end is an answer. */
function sendStream(body: HttpBody, made: http.ClientRequest): void {
  const stream = Readable.from(body, { objectMode: false });
  stream.on("error", (error) => made.destroy(error));
  made.once("close", () => stream.destroy());
  stream.pipe(made);
}

/** Node would send the body of a PUT in chunks, which no client of the field does. */
function lengthOf({ method, body }: StreamedRequest): Record<string, string> {
  if (isStream(body)) return {};
  if (body === undefined) return method === "GET" || method === "HEAD" ? {} : { "content-length": "0" };
  return { "content-length": String(typeof body === "string" ? Buffer.byteLength(body) : body.length) };
}

function answerOf(message: http.IncomingMessage, request: StreamedRequest): HttpResponse {
  // An error of the body reaches its reader; without a reader it does not matter.
  message.on("error", () => undefined);
  const headers: HttpHeaders = Object.fromEntries(
    Object.entries(message.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return {
    status: message.statusCode ?? 0,
    headers,
    body: { [Symbol.asyncIterator]: () => chunksOf(message, request) },
    cancel: () => {
      // An answer without a body leaves the connection for the next request.
      if (isEmpty(message)) message.resume();
      else message.destroy();
    },
  };
}

function isEmpty({ statusCode, headers }: http.IncomingMessage): boolean {
  return statusCode === 204 || statusCode === 304 || headers["content-length"] === "0";
}

async function* chunksOf(message: http.IncomingMessage, { url, signal }: StreamedRequest): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of message) {
      signal?.throwIfAborted();
      yield chunk as Buffer;
    }
  } catch (error) {
    signal?.throwIfAborted();
    const fault = asSystemError(error);
    if (!(fault instanceof SystemError)) throw fault;
    if (fault.code !== "ECONNRESET" && fault.code !== "ERR_STREAM_PREMATURE_CLOSE") throw fault;
    throw brokenOff(url, fault);
  }
}
