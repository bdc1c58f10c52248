import { type HttpRequest, type HttpResponse, type Network, SystemError } from "@upkeep/shared/system";
import { ConnectionLost, type ExchangeAnswer, type ExchangeEffect, type Loss } from "../../faults/effects/exchange.ts";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Everything that can be reached over the network. An `undefined` answer: the connection is refused. */
export type Peer = (request: HttpRequest) => ExchangeAnswer | undefined | Promise<ExchangeAnswer | undefined>;

/** Decides what faults do to the `number`th exchange (from 1) of a machine. */
export type Weather = (request: HttpRequest, number: number) => ExchangeEffect | undefined;

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
          const effect = this.#options.weather?.(request, ++this.#exchanges) ?? {};
          new Exchange(process, this.#options, request, effect).run(done, failed);
        }),
    };
  }
}

function lost(loss: Loss, url: string): SystemError {
  return loss === "reset"
    ? new SystemError("ECONNRESET", `ECONNRESET: the connection to ${url} was reset`)
    : new SystemError("ETIMEDOUT", `ETIMEDOUT: nothing was heard from ${url}`);
}

/** A device that is not there any more does not notice how its connection ends. */
function ignoreLoss(error: unknown): void {
  if (!(error instanceof ConnectionLost)) throw error;
}

class Exchange {
  readonly #process: SimulatedProcess;
  readonly #options: NetworkOptions;
  readonly #request: HttpRequest;
  readonly #effect: ExchangeEffect;
  #cancelled = false;

  constructor(process: SimulatedProcess, options: NetworkOptions, request: HttpRequest, effect: ExchangeEffect) {
    this.#process = process;
    this.#options = options;
    this.#request = request;
    this.#effect = effect;
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
    this.#answered().then(
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

  async #answered(): Promise<HttpResponse> {
    try {
      return await this.#answer();
    } catch (error) {
      throw error instanceof ConnectionLost ? await this.#lose(error.loss) : error;
    }
  }

  async #answer(): Promise<HttpResponse> {
    const { connectError, requestDelayMs, strayMs, loseRequest, duplicate, loseAnswer, answerDelayMs } = this.#effect;
    const { url } = this.#request;
    if (connectError !== undefined) throw new SystemError(connectError, `${connectError}: ${url}`);
    await this.#wait(requestDelayMs);
    // A request is delayed by having to be sent again, and its sender is gone.
    if (!this.#process.alive) throw lost("reset", url);
    if (loseRequest !== undefined) throw await this.#lose(loseRequest);
    if (strayMs !== undefined) {
      this.#options.time.after(strayMs, () => void this.#deliver().catch(ignoreLoss));
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

  async #deliver(): Promise<ExchangeAnswer | undefined> {
    const { time, peer } = this.#options;
    const change = this.#effect.answer;
    const ask = async (request: HttpRequest): Promise<ExchangeAnswer | undefined> => await peer(request);
    const answer = change === undefined ? peer(this.#request) : change(this.#request, ask);
    if (!(answer instanceof Promise)) return answer;
    return await time.hold(answer);
  }

  /** A delay longer than the idle timeout is a timeout. */
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

  /** Like a sleep of the process, but it continues after the process has ended. */
  #pass(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.time.after(delayMs, resolve);
    });
  }

  async *#body(body: ExchangeAnswer["body"]): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = this.#request;
    const { cutBodyAt, cutBodyBy, bytesPerSecond } = this.#effect;
    let receivedBytes = 0;
    for await (const chunk of piecesOf(body, this.#options.chunkBytes ?? CHUNK_BYTES)) {
      const comes = cutBodyAt === undefined ? chunk : chunk.subarray(0, Math.max(cutBodyAt - receivedBytes, 0));
      receivedBytes += comes.length;
      await this.#wait(bytesPerSecond === undefined ? 0 : (1000 * comes.length) / bytesPerSecond);
      if (comes.length > 0) yield await this.#arrive(comes);
      if (comes.length < chunk.length) throw await this.#lose(cutBodyBy ?? "reset");
      signal?.throwIfAborted();
    }
  }

  #arrive(chunk: Uint8Array): Promise<Uint8Array> {
    return this.#process.callThatWaits("network.body", this.#request.url, (done, failed) => {
      if (this.#request.signal?.aborted) failed(this.#request.signal.reason);
      else if (this.#cancelled) failed(lost("reset", this.#request.url));
      else done(chunk);
    });
  }
}

async function* piecesOf(body: ExchangeAnswer["body"], chunkBytes: number): AsyncGenerator<Uint8Array> {
  if (body === undefined) return;
  if (typeof body === "string" || body instanceof Uint8Array) {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    for (let from = 0; from < bytes.length; from += chunkBytes) yield bytes.subarray(from, from + chunkBytes);
  } else
    for await (const chunk of body)
      for (let from = 0; from < chunk.length; from += chunkBytes) yield chunk.subarray(from, from + chunkBytes);
}
