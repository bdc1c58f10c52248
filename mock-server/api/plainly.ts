import type { PlainListener, PlainReply, PlainRequest } from "../system/plain-http.ts";
import { type Answer, framed, type HeaderFields } from "./answers.ts";
import { answerFailure } from "./failures.ts";
import { type DirectPorts, type Frequent, FrequentRoutes, NO_QUERY, type Parameters } from "./frequent.ts";
import type { ApiRequest, Route } from "./route.ts";
import { requestId } from "./routing.ts";

/**
 * Answers the frequent requests of devices when they come whole and written plainly. What is done with them is the
 * same as elsewhere: the same passage through the same route, the same log, counts and headers.
 */
export function plainly(routes: readonly Route[], ports: DirectPorts): PlainListener {
  const frequent = new FrequentRoutes(routes, ports);
  return (request) => {
    const found = frequent.find(request);
    return found === undefined ? undefined : new Exchange(found.entry, request, ports).run(found.params);
  };
}

/** One request and its answer. */
class Exchange implements ApiRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: ApiRequest["headers"];
  readonly socket: ApiRequest["socket"];
  readonly startedMs: number;
  callingDevice: ApiRequest["callingDevice"];
  callingUser: ApiRequest["callingUser"];
  readonly #body: Buffer;
  readonly #entry: Frequent;
  readonly #ports: DirectPorts;

  constructor(entry: Frequent, { method, url, headers, body, socket }: PlainRequest, ports: DirectPorts) {
    this.startedMs = ports.system.clock.monotonic();
    this.id = requestId(headers, ports.system);
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.socket = socket;
    this.#body = body;
    this.#entry = entry;
    this.#ports = ports;
  }

  get ip(): string {
    return this.socket.remoteAddress ?? "";
  }

  get raw(): never {
    throw new Error(`${this.url}: was read already`);
  }

  /** Nothing in here waits for what is there already: most requests are answered in one turn. */
  run(params: Parameters): PlainReply | Promise<PlainReply> {
    try {
      const entering = this.#entry.passage.enter(this);
      if (entering !== undefined) return this.#later(entering.then(() => this.#answer(params)));
      const answer = this.#answer(params);
      return answer instanceof Promise ? this.#later(answer) : this.#reply(answer);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #answer(params: Parameters): Answer | Promise<Answer> {
    return this.#entry.passage.answer(this, this.#body, { params, query: NO_QUERY });
  }

  async #later(answer: Promise<Answer>): Promise<PlainReply> {
    try {
      return this.#reply(await answer);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): PlainReply {
    return this.#reply(answerFailure(error, this, this.#entry.route.access, this.#ports.logger));
  }

  #reply(answer: Answer): PlainReply {
    const { status, headers, payload } = framed(answer);
    if (payload === undefined) return new Reply(this, status, headers);
    if (typeof payload !== "string" && !Buffer.isBuffer(payload)) throw new Error(`${this.url}: answers no stream`);
    const length = String(Buffer.byteLength(payload));
    return new Reply(this, status, { ...headers, "content-length": length }, payload);
  }

  lost(): void {
    this.#ports.accessLog.brokenOff(this);
  }

  sent(status: number): void {
    const { accessLog, metrics, system, answered } = this.#ports;
    accessLog.answered(this, status);
    metrics.count(this.method, this.#entry.route.path, status, (system.clock.monotonic() - this.startedMs) / 1000);
    answered();
  }
}

class Reply implements PlainReply {
  readonly status: number;
  readonly headers: Record<string, string | readonly string[]>;
  readonly payload?: string | Buffer;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, status: number, headers: HeaderFields, payload?: string | Buffer) {
    this.status = status;
    this.headers = { "x-men-requestid": exchange.id };
    for (const name in headers) this.headers[name] = headers[name] ?? "";
    if (payload !== undefined) this.payload = payload;
    this.#exchange = exchange;
  }

  sent(): void {
    this.#exchange.sent(this.status);
  }

  lost(): void {
    this.#exchange.lost();
  }
}
