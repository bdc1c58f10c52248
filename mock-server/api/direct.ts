import { type Answer, framed, type HeaderFields } from "./answers.ts";
import { answerFailure } from "./failures.ts";
import { type DirectPorts, type Frequent, FrequentRoutes, NO_QUERY, type Parameters } from "./frequent.ts";
import type { ApiRequest, RawReply, RawRequest, Route } from "./route.ts";
import { requestId } from "./routing.ts";

type Listener = (request: RawRequest, response: RawReply) => void;

/**
 * Answers the frequent requests of devices without the framework, which takes longer than all the rest. What is
 * done with them is the same: the same passage through the same route, the same log, counts and headers.
 * @param otherwise Takes every other request, and every request that is in any way unusual.
 */
export function directly(routes: readonly Route[], otherwise: Listener, ports: DirectPorts): Listener {
  const frequent = new FrequentRoutes(routes, ports);
  return (request, response) => {
    const found = frequent.find(request);
    if (found === undefined) return otherwise(request, response);
    return new Exchange(found.entry, request, response, ports).run(found.params);
  };
}

/** Nobody knows what else comes on a connection whose request was not read to its end. */
const CLOSING = { connection: "close" };

/** One request and its answer. */
class Exchange implements ApiRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: RawRequest["headers"];
  readonly raw: RawRequest;
  readonly startedMs: number;
  callingDevice: ApiRequest["callingDevice"];
  callingUser: ApiRequest["callingUser"];
  readonly #response: RawReply;
  readonly #entry: Frequent;
  readonly #ports: DirectPorts;

  constructor(entry: Frequent, raw: RawRequest, response: RawReply, ports: DirectPorts) {
    this.startedMs = ports.system.clock.monotonic();
    this.id = requestId(raw.headers, ports.system);
    this.method = raw.method ?? "";
    this.url = raw.url ?? "";
    this.headers = raw.headers;
    this.raw = raw;
    this.#response = response;
    this.#entry = entry;
    this.#ports = ports;
    raw.on("close", () => {
      if (raw.aborted) ports.accessLog.brokenOff(this);
    });
    response.on("finish", () => this.#finished());
  }

  get socket(): ApiRequest["socket"] {
    return this.raw.socket;
  }

  get ip(): string {
    return this.raw.socket.remoteAddress ?? "";
  }

  /** Nothing in here waits for what is there already: most requests are answered in one turn. */
  run(params: Parameters): void {
    const fail = (error: unknown): void => this.#fail(error);
    const unread = (error: unknown): void => this.#fail(error, CLOSING);
    const read = (): void => this.#entry.passage.receive(this.raw, (body) => this.#answer(params, body), unread);
    try {
      const entering = this.#entry.passage.enter(this);
      if (entering === undefined) read();
      else entering.then(read).catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #answer(params: Parameters, body: Buffer | undefined): void {
    try {
      const answer = this.#entry.passage.answer(this, body, { params, query: NO_QUERY });
      if (answer instanceof Promise) {
        answer.then((later) => this.#write(later)).catch((error: unknown) => this.#fail(error));
      } else this.#write(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown, headers: HeaderFields = {}): void {
    const answer = answerFailure(error, this, this.#entry.route.access, this.#ports.logger);
    this.#write({ ...answer, headers: { ...answer.headers, ...headers } });
  }

  #write(answer: Answer): void {
    const { status, headers, payload } = framed(answer);
    const response = this.#response;
    if (payload === undefined) {
      response.writeHead(status, { "x-men-requestid": this.id, ...headers }).end();
      return;
    }
    if (typeof payload !== "string" && !Buffer.isBuffer(payload)) throw new Error(`${this.url}: answers no stream`);
    const length = { "content-length": Buffer.byteLength(payload) };
    response.writeHead(status, { "x-men-requestid": this.id, ...headers, ...length }).end(payload);
  }

  #finished(): void {
    const { accessLog, metrics, system, answered } = this.#ports;
    const { statusCode } = this.#response;
    accessLog.answered(this, statusCode);
    const seconds = (system.clock.monotonic() - this.startedMs) / 1000;
    metrics.count(this.method, this.#entry.route.path, statusCode, seconds);
    answered();
  }
}
