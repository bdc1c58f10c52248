import { type HttpRequest, type HttpResponse, type Network, SystemError } from "@upkeep/shared/system";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a server in the simulation answers. */
export interface SimulatedAnswer {
  readonly status: number;
  /** Header names in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** Everything that can be reached over the network. An `undefined` answer: the connection is refused. */
export type Peer = (request: HttpRequest) => SimulatedAnswer | undefined | Promise<SimulatedAnswer | undefined>;

/** How something gets lost: the other end says so (`ECONNRESET`), or nothing is heard any more (`ETIMEDOUT`). */
export type Loss = "reset" | "silence";

/** What goes wrong with one exchange. */
export interface Disturbance {
  /** Fail before anything is sent, with this code: ECONNREFUSED, ENOTFOUND, EAI_AGAIN, CERT_HAS_EXPIRED, … */
  readonly refused?: string;
  /** Until the request reaches the server. */
  readonly requestDelayMs?: number;
  /** The request wanders about: the server gets it so much later, when whoever sent it may have given up and sent others. */
  readonly strayMs?: number;
  /** The server never gets the request. */
  readonly loseRequest?: Loss;
  /** The server gets the request twice; the first answer is lost. */
  readonly duplicate?: boolean;
  /** The server gets the request, the device not the answer. */
  readonly loseAnswer?: Loss;
  readonly answerDelayMs?: number;
  /** The connection ends after this many bytes of the body. */
  readonly cutBodyAt?: number;
  /** How it ends; `reset` if absent. */
  readonly cutBodyBy?: Loss;
  /** How fast the body comes. */
  readonly bytesPerSecond?: number;
}

/** Decides what goes wrong with the `number`th exchange (from 1) of a machine. */
export type Weather = (request: HttpRequest, number: number) => Disturbance | undefined;

const CHUNK_BYTES = 16 * 1024;

export interface NetworkOptions {
  readonly time: VirtualTime;
  readonly peer: Peer;
  readonly weather?: Weather;
  /** The largest piece in which a body arrives. */
  readonly chunkBytes?: number;
}

/** One machine's way to the others. */
export class SimulatedNetwork {
  readonly #options: NetworkOptions;
  #exchanges = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  doorFor(process: SimulatedProcess): Network {
    return {
      request: (request) =>
        process.callThatWaits("network.request", `${request.method} ${request.url}`, (done, failed) => {
          const disturbance = this.#options.weather?.(request, ++this.#exchanges) ?? {};
          new Exchange(process, this.#options, request, disturbance).run(done, failed);
        }),
    };
  }
}

function lost(loss: Loss, url: string): SystemError {
  return loss === "reset"
    ? new SystemError("ECONNRESET", `ECONNRESET: the connection to ${url} was reset`)
    : new SystemError("ETIMEDOUT", `ETIMEDOUT: nothing was heard from ${url}`);
}

class Exchange {
  readonly #process: SimulatedProcess;
  readonly #options: NetworkOptions;
  readonly #request: HttpRequest;
  readonly #disturbance: Disturbance;
  #cancelled = false;

  constructor(process: SimulatedProcess, options: NetworkOptions, request: HttpRequest, disturbance: Disturbance) {
    this.#process = process;
    this.#options = options;
    this.#request = request;
    this.#disturbance = disturbance;
  }

  run(done: (response: HttpResponse) => void, failed: (error: unknown) => void): void {
    const { signal } = this.#request;
    if (signal?.aborted) {
      failed(signal.reason);
      return;
    }
    const onAbort = (): void => {
      this.#cancelled = true;
      failed(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const settled = (): void => signal?.removeEventListener("abort", onAbort);
    this.#answer().then(
      (response) => {
        settled();
        done(response);
      },
      (error: unknown) => {
        settled();
        failed(error);
      },
    );
  }

  async #answer(): Promise<HttpResponse> {
    const { refused, requestDelayMs, strayMs, loseRequest, duplicate, loseAnswer, answerDelayMs } = this.#disturbance;
    const { url } = this.#request;
    if (refused !== undefined) throw new SystemError(refused, `${refused}: ${url}`);
    await this.#wait(requestDelayMs);
    // A request is delayed by having to be sent again, and its sender is gone.
    if (!this.#process.alive) throw lost("reset", url);
    if (loseRequest !== undefined) throw await this.#lose(loseRequest);
    if (strayMs !== undefined) {
      this.#options.time.after(strayMs, () => void this.#deliver());
      throw await this.#lose("silence");
    }
    if (duplicate) await this.#deliver();
    const answer = await this.#deliver();
    if (answer === undefined) throw new SystemError("ECONNREFUSED", `ECONNREFUSED: ${url}`);
    if (loseAnswer !== undefined) throw await this.#lose(loseAnswer);
    await this.#wait(answerDelayMs);
    return {
      status: answer.status,
      headers: answer.headers ?? {},
      body: this.#body(answer.body),
      cancel: () => {
        this.#cancelled = true;
      },
    };
  }

  #deliver(): SimulatedAnswer | undefined | Promise<SimulatedAnswer | undefined> {
    const { time, peer } = this.#options;
    const answer = peer(this.#request);
    return answer instanceof Promise ? time.hold(answer) : answer;
  }

  /** Longer than the caller would wait is a timeout. */
  async #wait(delayMs: number | undefined): Promise<void> {
    if (delayMs === undefined || delayMs <= 0) return;
    const { idleTimeoutMs } = this.#request;
    if (delayMs > idleTimeoutMs) throw await this.#lose("silence");
    await this.#pass(delayMs);
  }

  async #lose(loss: Loss): Promise<SystemError> {
    if (loss === "silence") await this.#pass(this.#request.idleTimeoutMs);
    return lost(loss, this.#request.url);
  }

  /** Like a sleep of the process, but the network goes on also for those who have gone. */
  #pass(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.time.after(delayMs, resolve);
    });
  }

  async *#body(body: SimulatedAnswer["body"]): AsyncGenerator<Uint8Array, void, undefined> {
    const { url, signal } = this.#request;
    const { cutBodyAt, cutBodyBy, bytesPerSecond } = this.#disturbance;
    let receivedBytes = 0;
    for await (const chunk of piecesOf(body, this.#options.chunkBytes ?? CHUNK_BYTES)) {
      const comes = cutBodyAt === undefined ? chunk : chunk.subarray(0, Math.max(cutBodyAt - receivedBytes, 0));
      receivedBytes += comes.length;
      await this.#wait(bytesPerSecond === undefined ? 0 : (1000 * comes.length) / bytesPerSecond);
      if (comes.length > 0) yield await this.#arrive(comes);
      if (comes.length < chunk.length) throw await this.#lose(cutBodyBy ?? "reset");
      signal?.throwIfAborted();
    }
    if (cutBodyAt === 0 && receivedBytes === 0) throw lost("reset", url);
  }

  #arrive(chunk: Uint8Array): Promise<Uint8Array> {
    return this.#process.callThatWaits("network.body", this.#request.url, (done, failed) => {
      if (this.#request.signal?.aborted) failed(this.#request.signal.reason);
      else if (this.#cancelled) failed(lost("reset", this.#request.url));
      else done(chunk);
    });
  }
}

async function* piecesOf(body: SimulatedAnswer["body"], chunkBytes: number): AsyncGenerator<Uint8Array> {
  if (body === undefined) return;
  if (typeof body === "string" || body instanceof Uint8Array) {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    for (let from = 0; from < bytes.length; from += chunkBytes) yield bytes.subarray(from, from + chunkBytes);
  } else
    for await (const chunk of body)
      for (let from = 0; from < chunk.length; from += chunkBytes) yield chunk.subarray(from, from + chunkBytes);
}
