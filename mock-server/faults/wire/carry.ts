import type { ServerResponse } from "node:http";
import type { Timers } from "@upkeep/shared/system";
import {
  type ConnectError,
  ConnectionLost,
  type ExchangeAnswer,
  type ExchangeEffect,
  isBodiless,
  type Loss,
} from "../effects/exchange.ts";
import type { CarriedAnswer, CarriedRequest } from "./messages.ts";

/** A rate is kept in pieces of this many milliseconds. */
const PIECE_MS = 50;

export interface CarryPorts {
  /** Asks the server. `undefined`: no server listens. */
  readonly ask: (request: CarriedRequest) => Promise<CarriedAnswer | undefined>;
  readonly timers: Timers;
  /** Makes the device's next connection fail in this way. Absent: the connection is reset instead. */
  readonly failNextConnection?: (error: ConnectError) => Promise<void>;
  /**
   * Until it is aborted, a request that arrives late arrives even if its sender has gone. Absent: it goes with its
   * sender.
   */
  readonly closing?: AbortSignal;
  /** Called with each wait for a time, or for the device to take bytes or to give up, and awaited in its place. */
  readonly held?: <T>(wait: Promise<T>) => Promise<T>;
  /** How long a piece takes of a body that takes `bodyMs` at its rate: each is a wait; 50 milliseconds if absent. */
  readonly pieceMs?: (bodyMs: number) => number;
  /** Called with the bytes of a body that went out just now. */
  readonly sent?: (bytes: number) => void;
}

/** How an exchange ended. */
export interface Carried {
  /** `undefined`: the device got no answer. */
  readonly status: number | undefined;
  /** The body of the answer, unless it is a download. */
  readonly body: Buffer | undefined;
  readonly bytes: number;
}

/** How a body keeps its rate. */
interface Pace {
  readonly pieceBytes: number;
  /** `NaN`: not known. */
  readonly lengthBytes: number;
  /** Bytes whose time has passed, and that are not sent yet. */
  dueBytes: number;
}

const BROKEN: Carried = { status: undefined, body: undefined, bytes: 0 };

/**
 * Carries a request to the server and the answer back, over real connections, with the effect of faults on the way.
 * Resolves when the answer has been sent, the connection was broken, or the device has gone.
 */
export async function carry(
  request: CarriedRequest,
  response: ServerResponse,
  effect: ExchangeEffect,
  ports: CarryPorts,
): Promise<Carried> {
  const gone = whenGone(response);
  try {
    return await new Carriage(response, effect, ports, gone).carry(request);
  } catch (error) {
    if (gone.aborted || response.destroyed) return BROKEN;
    throw error;
  }
}

/** Sends the device to the same place over another connection. */
export function connectAgain({ url }: Pick<CarriedRequest, "url">, response: ServerResponse): void {
  response.writeHead(307, { location: url, connection: "close" }).end();
}

function whenGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the device has closed the connection")));
  return gone.signal;
}

class Carriage {
  readonly #response: ServerResponse;
  readonly #effect: ExchangeEffect;
  readonly #ports: CarryPorts;
  readonly #gone: AbortSignal;

  constructor(response: ServerResponse, effect: ExchangeEffect, ports: CarryPorts, gone: AbortSignal) {
    this.#response = response;
    this.#effect = effect;
    this.#ports = ports;
    this.#gone = gone;
  }

  async carry(request: CarriedRequest): Promise<Carried> {
    const { connectError, requestDelayMs, loseRequest, strayMs, duplicate, loseAnswer, answerDelayMs } = this.#effect;
    if (connectError !== undefined) return await this.#refuse(connectError, request);
    if (loseRequest !== undefined) return await this.#break(loseRequest);
    if (strayMs !== undefined) return await this.#stray(request, strayMs);
    await this.#sleep(requestDelayMs);
    try {
      if (duplicate) (await this.#answer(request))?.discard?.();
      const answer = await this.#answer(request);
      if (answer === undefined) return await this.#refuse("ECONNREFUSED", request);
      if (loseAnswer !== undefined) {
        answer.discard?.();
        return await this.#break(loseAnswer);
      }
      await this.#sleep(answerDelayMs);
      return await this.#pass(answer, request.method === "HEAD");
    } catch (error) {
      if (error instanceof ConnectionLost) return await this.#break(error.loss);
      throw error;
    }
  }

  async #answer(request: CarriedRequest): Promise<ExchangeAnswer | undefined> {
    const ask = async (passedOn: CarriedRequest): Promise<ExchangeAnswer | undefined> => {
      const answer = await this.#ports.ask(passedOn);
      if (answer !== undefined) this.#gone.addEventListener("abort", answer.stop, { once: true });
      return answer;
    };
    return await (this.#effect.answer?.(request, ask) ?? ask(request));
  }

  /** Only the device's own machine can fail to connect: the device is made to connect again. */
  async #refuse(error: ConnectError, request: CarriedRequest): Promise<Carried> {
    const { failNextConnection } = this.#ports;
    if (failNextConnection === undefined) return await this.#break("reset");
    await failNextConnection(error);
    connectAgain(request, this.#response);
    return BROKEN;
  }

  /** Ends when the request has arrived and the device has given up waiting. */
  async #stray(request: CarriedRequest, ms: number): Promise<Carried> {
    const { ask, timers, closing } = this.#ports;
    const arrived = this.#held(timers.sleep(ms, closing ?? this.#gone)).then(() => ask(request));
    const [answer] = await Promise.allSettled([arrived, this.#break("silence")]);
    if (answer.status === "fulfilled") answer.value?.discard?.();
    return BROKEN;
  }

  async #sleep(ms = 0): Promise<void> {
    if (ms > 0) await this.#held(this.#ports.timers.sleep(ms, this.#gone));
  }

  #held<T>(wait: Promise<T>): Promise<T> {
    return this.#ports.held?.(wait) ?? wait;
  }

  /** Resets the connection, or leaves it silent until the device gives up. */
  async #break(by: Loss): Promise<Carried> {
    const { socket } = this.#response;
    if (by === "reset") reset(socket);
    else if (!this.#gone.aborted) {
      const gone = new Promise<void>((resolve) => {
        this.#gone.addEventListener("abort", () => resolve(), { once: true });
      });
      await this.#held(gone);
    }
    return BROKEN;
  }

  async #pass(answer: ExchangeAnswer, isHead: boolean): Promise<Carried> {
    const { status, headers = {}, body = "" } = answer;
    this.#response.writeHead(
      status,
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()])),
    );
    if (isHead || isBodiless(status)) {
      this.#response.end();
      answer.discard?.();
      return { status, body: undefined, bytes: 0 };
    }
    this.#response.flushHeaders();
    const isText = /json|jwt|text/.test(String(headers["content-type"] ?? ""));
    const kept: Uint8Array[] = [];
    const lengthBytes = Number(headers["content-length"] ?? Number.NaN);
    let bytes = 0;
    const pace = this.#pace(lengthBytes);
    for await (const chunk of chunksOf(body)) {
      for (const piece of pieces(chunk, pace.pieceBytes)) {
        const sent = await this.#sendPiece(piece, bytes, pace);
        bytes += sent.length;
        if (isText) kept.push(sent);
        // A client that has the whole body may close the connection: the exchange is complete.
        if (bytes === lengthBytes) break;
        if (sent.length === piece.length) continue;
        answer.discard?.();
        await this.#end(this.#effect.cutBodyBy ?? "reset");
        return { status, body: undefined, bytes };
      }
      if (bytes === lengthBytes) break;
    }
    this.#response.end();
    return { status, body: isText ? Buffer.concat(kept) : undefined, bytes };
  }

  #pace(lengthBytes: number): Pace {
    const { bytesPerSecond } = this.#effect;
    if (bytesPerSecond === undefined) return { pieceBytes: Number.POSITIVE_INFINITY, lengthBytes, dueBytes: 0 };
    const pieceMs = this.#ports.pieceMs?.((lengthBytes / bytesPerSecond) * 1000) ?? PIECE_MS;
    const pieceBytes = Math.max(1, Math.floor((bytesPerSecond * pieceMs) / 1000));
    return { pieceBytes, lengthBytes, dueBytes: 0 };
  }

  /** @returns What was sent: less than `piece` if the connection ends in the middle of it. */
  async #sendPiece(piece: Uint8Array, before: number, pace: Pace): Promise<Uint8Array> {
    const { cutBodyAt = Number.POSITIVE_INFINITY, bytesPerSecond } = this.#effect;
    const sent = piece.subarray(0, Math.max(0, cutBodyAt - before));
    if (bytesPerSecond !== undefined) {
      const missing = sent.length - pace.dueBytes;
      // The time passes before the bytes are sent: a device that gives up meanwhile never gets them.
      if (missing > 0) {
        const left = Math.min(pace.lengthBytes, cutBodyAt) - before - pace.dueBytes;
        // Chunks that are smaller than a piece wait together, if it is known that they come.
        const bytes = Math.max(missing, Math.min(pace.pieceBytes, left) || 0);
        await this.#sleep((bytes / bytesPerSecond) * 1000);
        pace.dueBytes += bytes;
      }
      pace.dueBytes -= sent.length;
    }
    if (sent.length > 0) {
      const taken = new Promise<void>((resolve, reject) => {
        this.#response.write(sent, (error) => (error ? reject(error) : resolve()));
      });
      await this.#held(taken);
      this.#ports.sent?.(sent.length);
    }
    return sent;
  }

  /** Ends the connection after the bytes that were sent: a reset would take them back from the device. */
  async #end(by: Loss): Promise<void> {
    if (by === "silence") await this.#break(by);
    else this.#response.socket?.destroy();
  }
}

function reset(socket: ServerResponse["socket"]): void {
  if (socket === null) return;
  if ("resetAndDestroy" in socket && typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else socket.destroy();
}

async function* chunksOf(body: NonNullable<ExchangeAnswer["body"]>): AsyncGenerator<Uint8Array> {
  if (typeof body === "string") yield Buffer.from(body);
  else if (body instanceof Uint8Array) yield body;
  else yield* body;
}

function* pieces(chunk: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  const size = Math.min(pieceBytes, chunk.length);
  for (let start = 0; start < chunk.length; start += size) yield chunk.subarray(start, start + size);
}
