import { once } from "node:events";
import { type IncomingMessage, request as requestPlain, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { System } from "@upkeep/shared/system";
import type { Strike } from "../../faults/index.ts";
import { type RequestKind, requestKind } from "../../faults/request-kinds.ts";
import { readRequest } from "../../faults/wire/around.ts";
import { type CarriedAnswer, type CarriedRequest, carry } from "../../faults/wire/carry.ts";
import { effectsOf } from "../../faults/wire/effects.ts";
import { type Listening, listen } from "../../system/listen.ts";
import { type Defect, otherObject } from "../world/artifacts.ts";
import { served } from "../world/serving.ts";
import type { BadPeers } from "./bad-peers.ts";

/** What the world does with what goes through a device's proxy. */
export interface ProxyPort {
  readonly system: System;
  /** URL of the server. */
  server(): string;
  /** So many milliseconds of the scenario are one of this machine. */
  readonly speed: number;
  readonly bad: BadPeers;
  strikes(kind: RequestKind): {
    readonly exchange: readonly Strike<"exchange">[];
    readonly server: readonly Strike<"server">[];
  };
  artifactWith(url: string, defect: Defect): Promise<Uint8Array | undefined>;
  killServer(backAfterMs: number): Promise<void>;
  /** The server has answered, and the device does not know yet. */
  answered(kind: RequestKind, status: number, request: CarriedRequest): Promise<void>;
  /** There was no answer, or nobody was asked. */
  failed(kind: RequestKind, fault: string): void;
  /** Bytes of an artifact went to the device. @param position Behind them, in the artifact. */
  sent(bytes: number, position: number): void;
  broken(error: unknown): void;
}

/** The way of one device to the server, with all that goes wrong on it, over real connections. */
export class DeviceProxy {
  readonly #port: ProxyPort;
  readonly #listening: Listening;
  readonly #closing = new AbortController();

  private constructor(port: ProxyPort, listening: Listening) {
    this.#port = port;
    this.#listening = listening;
  }

  static async start(port: ProxyPort, address = { host: "127.0.0.1", port: 0 }): Promise<DeviceProxy> {
    let proxy: DeviceProxy | undefined;
    const listening = await listen((request, response) => proxy?.take(request, response), address);
    proxy = new DeviceProxy(port, listening);
    return proxy;
  }

  /** On this machine. */
  get port(): number {
    return this.#listening.port;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the proxy is closed"));
    await this.#listening.close(0);
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    this.#exchange(request, response).catch((error: unknown) => {
      // A device that is killed breaks off what it is doing.
      if (!request.destroyed && !response.destroyed) this.#port.broken(error);
      response.destroy();
    });
  }

  async #exchange(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = requestKind(incoming.url ?? "");
    const request = await readRequest(incoming);
    if (kind === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { system, speed } = this.#port;
    const { exchange, server } = this.#port.strikes(kind);
    const elsewhere = await this.#port.bad.urlFor(exchange);
    if (elsewhere !== undefined) {
      this.#port.failed(kind, exchange.map(({ fault }) => fault).join(", "));
      response.writeHead(307, { location: `${elsewhere}${request.url}` }).end();
      return;
    }
    const effects = effectsOf(exchange.map(faster(speed)), system.random, request.headers.range);
    const slowMs = server.reduce((sum, strike) => (strike.fault === "database_slow" ? sum + strike.value : sum), 0);
    const start = Number(/^bytes=(\d+)-/.exec(String(request.headers.range ?? ""))?.[1] ?? 0);
    let sent = 0;
    let asked = false;
    const { status } = await carry(
      request,
      response,
      {
        ...effects,
        // Those two are in hand here, by the artifacts themselves.
        changed: false,
        lateMs: (effects.lateMs + slowMs) / speed,
        ...(effects.strayMs === undefined ? {} : { strayMs: effects.strayMs / speed }),
        delayMs: effects.delayMs / speed,
        ...(effects.rate === undefined ? {} : { rate: effects.rate * speed }),
        ...(effects.artifact === undefined ? {} : { artifact: undefined as never }),
      },
      {
        timers: system.timers,
        closing: this.#closing.signal,
        ask: (one) => {
          asked = true;
          return this.#ask(kind, one, exchange, server);
        },
        sent: (bytes) => {
          sent += bytes;
          if (kind === "download") this.#port.sent(bytes, start + sent);
        },
      },
    );
    // Somebody else has answered, in the server's place.
    if (status !== undefined && !asked) await this.#port.answered(kind, status, request);
    if (status === undefined) this.#port.failed(kind, exchange.map(({ fault }) => fault).join(", ") || "broken off");
  }

  /** Ask the server, which may be killed just before or just after. */
  async #ask(
    kind: RequestKind,
    request: CarriedRequest,
    exchange: readonly Strike<"exchange">[],
    server: readonly Strike<"server">[],
  ): Promise<CarriedAnswer> {
    const kill = server.find((strike) => strike.fault === "server_killed");
    const value = kill?.fault === "server_killed" ? kill.value : undefined;
    if (value?.when === "before") await this.#port.killServer(value.back_after);
    const answer = await this.#answerOf(request, exchange);
    if (value?.when === "after") {
      answer.destroy();
      await this.#port.killServer(value.back_after);
      throw Object.assign(new Error("the server was killed"), { code: "ECONNRESET" });
    }
    await this.#port.answered(kind, answer.statusCode ?? 0, request);
    return answer;
  }

  async #answerOf(request: CarriedRequest, exchange: readonly Strike<"exchange">[]): Promise<CarriedAnswer> {
    for (const strike of exchange) {
      if (strike.fault === "bad_artifact") {
        const bytes = await this.#port.artifactWith(request.url, strike.value);
        if (bytes !== undefined) return objectAnswer(bytes, `"${strike.value}"`, request);
      } else if (strike.fault === "changed_object") {
        const whole = await this.#whole(request);
        if (whole !== undefined) return objectAnswer(otherObject(whole), '"another-object"', request);
      }
    }
    return await this.#toServer(request);
  }

  async #whole(request: CarriedRequest): Promise<Buffer | undefined> {
    const { range: _, "if-range": __, ...headers } = request.headers;
    const answer = await this.#toServer({ ...request, headers });
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return answer.statusCode === 200 ? Buffer.concat(chunks) : undefined;
  }

  async #toServer({ method, url, headers, body }: CarriedRequest): Promise<CarriedAnswer> {
    const sent = requestPlain(this.#port.server() + url, { method, headers, agent: false });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    sent.on("error", () => answer.destroy());
    return answer;
  }
}

/** Devices are told to come back so much sooner. */
function faster(speed: number): (strike: Strike<"exchange">) => Strike<"exchange"> {
  return (strike) => {
    if (strike.fault !== "answer" || strike.value.retry_after === undefined) return strike;
    return { ...strike, value: { ...strike.value, retry_after: Math.max(1000, strike.value.retry_after / speed) } };
  };
}

function objectAnswer(bytes: Uint8Array, etag: string, request: CarriedRequest): CarriedAnswer {
  const text = (name: string): Record<string, string> =>
    typeof request.headers[name] === "string" ? { [name]: request.headers[name] } : {};
  const { status, headers, body } = served(bytes, etag, {
    method: "GET",
    url: request.url,
    headers: { ...text("range"), ...text("if-range") },
    idleTimeoutMs: 0,
  });
  const readable = Readable.from(body instanceof Uint8Array ? [Buffer.from(body)] : []);
  return Object.assign(readable, {
    statusCode: status,
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])),
  });
}
