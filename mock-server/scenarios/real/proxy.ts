import { once } from "node:events";
import { type IncomingMessage, request as requestPlain, type ServerResponse } from "node:http";
import { given } from "@upkeep/shared/given";
import type { System, Timers } from "@upkeep/shared/system";
import {
  type AnswerChange,
  type ArtifactDefect,
  combined,
  type ExchangeEffect,
  lossOf,
  rangeStart,
} from "../../faults/effects/exchange.ts";
import { exchangeEffectOf, type Strike } from "../../faults/index.ts";
import { type RequestKind, requestKind, STORED } from "../../faults/language/request-kinds.ts";
import { type CarryPorts, carry, connectAgain } from "../../faults/wire/carry.ts";
import { type CarriedAnswer, type CarriedRequest, readAnswer, readRequest } from "../../faults/wire/messages.ts";
import { type Listening, listen } from "../../system/listen.ts";
import type { ExchangeOutcome } from "../run/events.ts";
import type { ConnectHook } from "./connect-hook.ts";
import type { Exchanges, OpenExchange } from "./exchanges.ts";

/** The end of the server's side of an exchange. */
export interface Answered {
  /** What the device gets. */
  readonly outcome: ExchangeOutcome;
  /** What the server said; `undefined`: the server was not asked. */
  readonly byServer: number | undefined;
}

/** What the world does with the exchanges of a device's proxy. */
export interface ProxyPort {
  readonly system: System;
  /** URL of the server. */
  server(): string;
  /** What delays of the scenario go by. */
  readonly timers: Timers;
  /** See {@link CarryPorts}. */
  readonly pieceMs?: CarryPorts["pieceMs"];
  /** The rate of downloads; without a limit if absent. */
  readonly bytesPerSecond?: number;
  readonly exchanges: Exchanges;
  /** Fails connections in the device's process; absent where that is out of reach. */
  readonly connections?: Pick<ConnectHook, "failNext" | "isPending">;
  /** Resolves when it is the device's turn to send such a request. */
  turn(kind: RequestKind): Promise<void>;
  strikes(kind: RequestKind): readonly Strike<"exchange">[];
  /** What the device's check of the server's certificate comes to. */
  certificate(): ExchangeEffect;
  artifactWith(url: string, defect: ArtifactDefect): Promise<Uint8Array | undefined>;
  killServer(backAfterMs: number): Promise<void>;
  /** There is an answer, and the device does not have it yet. Called once for each time that the server is asked. */
  answered(kind: RequestKind, answer: Answered, request: CarriedRequest): Promise<void>;
  /** The device gets no answer. Not called for an exchange that was answered, however it ends. */
  failed(kind: RequestKind, fault: string): void;
  /** Bytes of an artifact went to the device. @param position Behind them, in the artifact. @param size Of that; `NaN` if it is not known. */
  sent(bytes: number, position: number, size: number): void;
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
    // Each exchange has a connection of its own: a client silently repeats what a kept one could not carry.
    response.shouldKeepAlive = false;
    const request = await readRequest(incoming);
    if (kind === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { exchanges, connections } = this.#port;
    const exchange = exchanges.begin(kind);
    try {
      // Otherwise the device has used another connection that was open already.
      if (await connections?.isPending()) connectAgain(request, response);
      else await this.#carry(kind, request, response, exchange);
    } finally {
      exchange.end();
    }
  }

  async #carry(
    kind: RequestKind,
    request: CarriedRequest,
    response: ServerResponse,
    exchange: OpenExchange,
  ): Promise<void> {
    const { system, timers, pieceMs, artifactWith, killServer, connections } = this.#port;
    await this.#port.turn(kind);
    const startBytes = rangeStart(request);
    const strikes = this.#port.strikes(kind);
    const context = { random: system.random, startBytes, artifactWith, killServer };
    const effects = strikes.map((strike) => exchangeEffectOf(strike, context));
    const usual = STORED.includes(kind) ? given({ bytesPerSecond: this.#port.bytesPerSecond }) : {};
    const { answer: change = passOn, ...effect } = { ...usual, ...combined(effects), ...this.#port.certificate() };
    const loss = lossOf(effect);
    let isRecorded = loss !== undefined && !loss.isAsked;
    if (loss !== undefined && !loss.isAsked) this.#port.failed(kind, loss.fault);
    let byServer: number | undefined;
    let size = Number.NaN;
    const watched: AnswerChange = async (passedOn, ask) => {
      const answer = await change(passedOn, ask);
      size = startBytes + Number(answer?.headers?.["content-length"] ?? Number.NaN);
      if (answer !== undefined) {
        isRecorded = true;
        const outcome = loss === undefined ? { status: answer.status } : { fault: loss.fault };
        await this.#port.answered(kind, { outcome, byServer }, request);
      }
      return answer;
    };
    let sent = 0;
    const { status } = await carry(
      request,
      response,
      { ...effect, answer: watched },
      {
        timers,
        ...given({ pieceMs }),
        held: (wait) => exchange.held(wait),
        closing: this.#closing.signal,
        ...(connections === undefined ? {} : { failNextConnection: (error) => connections.failNext(error) }),
        ask: async (one) => {
          const answer = await this.#toServer(one);
          byServer = answer?.status;
          return answer;
        },
        sent: (bytes) => {
          sent += bytes;
          if (kind === "download") this.#port.sent(bytes, startBytes + sent, size);
        },
      },
    );
    if (status === undefined && !isRecorded)
      this.#port.failed(kind, strikes.map(({ fault }) => fault).join(", ") || "no answer");
  }

  /** `undefined`: no server listens. */
  async #toServer({ method, url, headers, body }: CarriedRequest): Promise<CarriedAnswer | undefined> {
    const sent = requestPlain(this.#port.server() + url, { method, headers, agent: false });
    sent.end(body);
    try {
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      sent.on("error", () => answer.destroy());
      return readAnswer(answer);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") return undefined;
      throw error;
    }
  }
}

const passOn: AnswerChange = (request, ask) => ask(request);
