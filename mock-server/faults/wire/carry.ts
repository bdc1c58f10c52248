import { createHash } from "node:crypto";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { Timers } from "@upkeep/shared/system";
import type { Effects, FixedAnswer, Loss } from "./effects.ts";

/** More than any request of a device that is no download. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** A rate is kept in pieces of so many milliseconds. */
const PIECE_MS = 50;
/** What connections, not messages, are about. */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
/** Half of a JSON text. */
const MALFORMED = '{"id": "no JS';

export interface CarriedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** What whoever really answers says. */
export type CarriedAnswer = Readable & Pick<IncomingMessage, "headers"> & { readonly statusCode?: number | undefined };

export interface CarryPorts {
  /** Ask whoever really answers. */
  readonly ask: (request: CarriedRequest) => Promise<CarriedAnswer>;
  readonly timers: Timers;
  /**
   * Until it is aborted, a request that wanders about arrives, though whoever sent it has gone. Absent: it is gone with
   * them.
   */
  readonly closing?: AbortSignal;
  /** Called with how many bytes of a body went out just now. */
  readonly sent?: (bytes: number) => void;
}

/** How it ended: the status that was answered; `undefined` if the connection broke before. */
export interface Carried {
  readonly status: number | undefined;
  /** The body of the answer, of what is no download. */
  readonly body: Buffer | undefined;
  readonly bytes: number;
}

/** All of a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request) {
    total += (chunk as Buffer).length;
    if (total > BODY_BYTES_MAX) throw new RangeError(`a body is larger than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** The headers of a message for another connection. */
export function endToEnd(headers: IncomingMessage["headers"]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));
}

/**
 * Carry a request to whoever answers it, and the answer back, with everything that goes wrong on the way.
 * Resolves when the answer has been sent, or the connection was broken, or whoever asked has gone.
 */
export async function carry(
  request: CarriedRequest,
  response: ServerResponse,
  effects: Effects,
  ports: CarryPorts,
): Promise<Carried> {
  const gone = whenGone(response);
  try {
    return await new Carriage(response, effects, ports, gone).carry(request);
  } catch (error) {
    if (gone.aborted || response.destroyed) return BROKEN;
    throw error;
  }
}

const BROKEN: Carried = { status: undefined, body: undefined, bytes: 0 };

function whenGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("whoever asked has gone")));
  return gone.signal;
}

class Carriage {
  readonly #response: ServerResponse;
  readonly #effects: Effects;
  readonly #ports: CarryPorts;
  readonly #gone: AbortSignal;

  constructor(response: ServerResponse, effects: Effects, ports: CarryPorts, gone: AbortSignal) {
    this.#response = response;
    this.#effects = effects;
    this.#ports = ports;
    this.#gone = gone;
  }

  async carry(request: CarriedRequest): Promise<Carried> {
    const { down, lose, lateMs, strayMs, twice, answer, delayMs } = this.#effects;
    if (down !== undefined) return await this.#break(down);
    if (lose?.what === "request") return await this.#break(lose.by);
    if (strayMs !== undefined) return await this.#stray(request, lateMs + strayMs);
    await this.#sleep(lateMs);
    if (answer !== undefined) {
      await this.#sleep(delayMs);
      return this.#send(answer);
    }
    if (twice) (await this.#ports.ask(request)).resume();
    const answered = await this.#ports.ask(request);
    if (lose?.what === "answer") {
      answered.resume();
      return await this.#break(lose.by);
    }
    await this.#sleep(delayMs);
    return await this.#pass(answered, request.method === "HEAD");
  }

  /** Over when it has arrived, and whoever waits for the answer has given up. */
  async #stray(request: CarriedRequest, ms: number): Promise<Carried> {
    const { ask, timers, closing } = this.#ports;
    const arrived = timers.sleep(ms, closing ?? this.#gone).then(() => ask(request));
    const [answered] = await Promise.allSettled([arrived, this.#break("silence")]);
    if (answered.status === "fulfilled") answered.value.resume();
    return BROKEN;
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await this.#ports.timers.sleep(ms, this.#gone);
  }

  /** End the connection as a broken line does; or leave it as it is, until whoever waits gives up. */
  async #break(by: Loss): Promise<Carried> {
    const { socket } = this.#response;
    if (by === "reset") reset(socket);
    else if (!this.#gone.aborted) {
      await new Promise<void>((resolve) => {
        this.#gone.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return BROKEN;
  }

  /** End the connection behind what was sent, which still arrives: a reset would take it back from its reader. */
  async #end(by: Loss): Promise<void> {
    if (by === "silence") await this.#break(by);
    else this.#response.socket?.destroy();
  }

  #send({ status, headers, body }: FixedAnswer): Carried {
    const bytes = Buffer.from(body);
    const length = status === 204 || status === 304 ? {} : { "content-length": String(bytes.length) };
    this.#response.writeHead(status, { ...headers, ...length });
    this.#response.end(bytes);
    return { status, body: bytes, bytes: bytes.length };
  }

  async #pass(answered: CarriedAnswer, headOnly: boolean): Promise<Carried> {
    const status = answered.statusCode ?? 502;
    const headers = endToEnd(answered.headers);
    const { body, changed } = this.#effects;
    if (body !== undefined) {
      answered.resume();
      const { "content-length": _, ...others } = headers;
      const text = body === "malformed" ? MALFORMED : "";
      return this.#send({ status: status === 204 ? 200 : status, headers: textual(others), body: text });
    }
    const { artifact } = this.#effects;
    const length = Number(headers["content-length"]);
    // The whole of what is there: a file that was not copied to its end.
    if (artifact === "truncated" && length > 0) return await this.#truncate(answered, status, headers, length);
    if (changed && headers.etag !== undefined) headers.etag = changedTag(String(headers.etag));
    this.#response.writeHead(status, headers);
    if (headOnly) {
      this.#response.end();
      answered.resume();
      return { status, body: undefined, bytes: 0 };
    }
    return await this.#stream(answered, status);
  }

  /** Half of the object, and no word of more. */
  async #truncate(
    answered: CarriedAnswer,
    status: number,
    headers: OutgoingHttpHeaders,
    length: number,
  ): Promise<Carried> {
    const half = Math.ceil(length / 2);
    this.#response.writeHead(status, { ...headers, "content-length": String(half) });
    let sent = 0;
    for await (const chunk of answered) {
      const bytes = (chunk as Buffer).subarray(0, half - sent);
      await this.#write(bytes);
      sent += bytes.length;
      if (sent >= half) break;
    }
    this.#response.end();
    return { status, body: undefined, bytes: sent };
  }

  async #stream(answered: CarriedAnswer, status: number): Promise<Carried> {
    const { cut, rate, changed, artifact } = this.#effects;
    const kept: Buffer[] = [];
    const json = /json|jwt|text/.test(answered.headers["content-type"] ?? "");
    let sent = 0;
    const stop = (): void => void answered.destroy();
    this.#gone.addEventListener("abort", stop, { once: true });
    for await (const chunk of answered) {
      for (const piece of pieces(chunk as Buffer, rate)) {
        const room = cut === undefined ? piece.length : Math.min(piece.length, cut.atBytes - sent);
        const bytes = changed || artifact === "corrupted" ? other(piece.subarray(0, room)) : piece.subarray(0, room);
        if (json) kept.push(bytes);
        await this.#write(bytes);
        sent += bytes.length;
        this.#ports.sent?.(bytes.length);
        if (cut !== undefined && sent >= cut.atBytes) {
          answered.destroy();
          await this.#end(cut.by);
          return { status, body: undefined, bytes: sent };
        }
        if (rate !== undefined) await this.#sleep((piece.length / rate) * 1000);
      }
    }
    this.#gone.removeEventListener("abort", stop);
    // The answer may be shorter than what the cut was for.
    this.#response.end();
    return { status, body: json ? Buffer.concat(kept) : undefined, bytes: sent };
  }

  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (bytes.length === 0) resolve();
      else this.#response.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function reset(socket: ServerResponse["socket"]): void {
  if (socket === null) return;
  if ("resetAndDestroy" in socket && typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else socket.destroy();
}

function* pieces(chunk: Buffer, rate: number | undefined): Generator<Buffer> {
  const size = rate === undefined ? chunk.length : Math.max(1, Math.floor((rate * PIECE_MS) / 1000));
  for (let start = 0; start < chunk.length; start += size) yield chunk.subarray(start, start + size);
}

/** Bytes of another object: none of them is as it was. */
function other(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0x55));
}

function changedTag(tag: string): string {
  return `"${createHash("sha256").update(tag).digest("hex")}"`;
}

function textual(headers: OutgoingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
