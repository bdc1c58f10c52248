import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { type AccessLog, loggedPath } from "./access-log.ts";
import { type Answer, framed } from "./answers.ts";
import { readAtOnce } from "./bodies.ts";
import { answerFailure } from "./failures.ts";
import { type Found, FrequentRoutes, NO_QUERY } from "./frequent.ts";
import type { RequestMetrics } from "./operations/metrics.ts";
import type { ApiRequest, RawReply, RawRequest, Route } from "./route.ts";
import { type RoutingPorts, requestId } from "./routing.ts";

type Listener = (request: RawRequest, response: RawReply) => void;

/** Gathers what is given to it, and hands all of it on at once. */
export type Gather = <T>(take: (all: readonly T[]) => void) => (one: T) => void;

/** Gathers nothing: each thing is handed on by itself. */
export const oneByOne: Gather = (take) => (one) => take([one]);

/** What those who answer without the framework need besides. */
export interface DirectPorts extends RoutingPorts {
  readonly system: Pick<System, "clock" | "random">;
  readonly accessLog: AccessLog;
  readonly metrics: RequestMetrics;
  readonly logger: Logger;
  /** Called when a request was answered that may have changed something. */
  readonly answered: () => void;
  readonly gather: Gather;
}

/**
 * Answers the frequent requests of devices without the framework, which takes longer than all the rest. What is
 * done with them is the same: the same handler through the same route, the same log, counts and headers.
 *
 * Requests that came together go through it side by side, step by step: what a step needs stays in the processor's
 * caches from one to the next, which takes half of the time that it takes to do everything for one after the other.
 * @param otherwise Takes every other request, and every request that is in any way unusual.
 */
export function directly(routes: readonly Route[], otherwise: Listener, ports: DirectPorts): Listener {
  const frequent = new FrequentRoutes(routes, ports);
  const whole = ports.gather<Exchange>((all) => {
    const entered = all.filter((one) => one.enter());
    for (const one of entered) one.answer();
  });
  const finished = ports.gather<Exchange>((all) => {
    for (const one of all) one.record();
    ports.answered();
  });
  return (request, response) => {
    const found = frequent.find(request);
    if (found === undefined) return otherwise(request, response);
    const exchange = new Exchange(found, request, response, ports);
    exchange.receive(() => whole(exchange));
    response.on("finish", () => finished(exchange));
  };
}

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
  readonly #found: Found;
  readonly #ports: DirectPorts;
  #body: Buffer | undefined;

  constructor(found: Found, raw: RawRequest, response: RawReply, ports: DirectPorts) {
    this.startedMs = ports.system.clock.monotonic();
    this.id = requestId(raw.headers, ports.system);
    this.method = raw.method ?? "";
    this.url = raw.url ?? "";
    this.headers = raw.headers;
    this.raw = raw;
    this.#response = response;
    this.#found = found;
    this.#ports = ports;
  }

  get socket(): ApiRequest["socket"] {
    return this.raw.socket;
  }

  get ip(): string {
    return this.raw.socket.remoteAddress ?? "";
  }

  /** @param whole Called once the body has come; never, if the client breaks off. */
  receive(whole: () => void): void {
    readAtOnce(
      this.raw,
      (body) => {
        this.#body = body;
        whole();
      },
      () => void this.#brokenOff(),
    );
  }

  async #brokenOff(): Promise<void> {
    try {
      await this.#found.entry.handler.enter(this);
    } catch {
      // Nobody who is known: the log names no device.
    }
    this.#ports.accessLog.brokenOff(this);
  }

  /** @returns True if it may be answered; otherwise it has been refused, or is answered later. */
  enter(): boolean {
    try {
      const entering = this.#found.entry.handler.enter(this);
      if (entering === undefined) return true;
      entering.then(() => this.answer()).catch((error: unknown) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
    return false;
  }

  answer(): void {
    try {
      const { entry, params } = this.#found;
      const answer = entry.handler.answer(this, this.#body, { params, query: NO_QUERY });
      if (answer instanceof Promise) {
        answer.then((later) => this.#write(later)).catch((error: unknown) => this.#fail(error));
      } else this.#write(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#write(answerFailure(error, this, this.#found.entry.route, this.#ports.logger));
  }

  #write(answer: Answer): void {
    const { status, headers, payload } = framed(answer);
    const response = this.#response;
    if (payload === undefined) {
      response.writeHead(status, { "x-men-requestid": this.id, ...headers }).end();
      return;
    }
    if (typeof payload !== "string" && !Buffer.isBuffer(payload))
      throw new Error(`${loggedPath(this.url)}: answers no stream`);
    const length = { "content-length": Buffer.byteLength(payload) };
    response.writeHead(status, { "x-men-requestid": this.id, ...headers, ...length }).end(payload);
  }

  /** Log and count it. */
  record(): void {
    const { accessLog, metrics, system } = this.#ports;
    const { statusCode } = this.#response;
    accessLog.answered(this, statusCode);
    const seconds = (system.clock.monotonic() - this.startedMs) / 1000;
    metrics.count(this.method, this.#found.entry.route.path, statusCode, seconds);
  }
}
