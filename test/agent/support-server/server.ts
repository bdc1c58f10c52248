import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers a request; `count` is 1 for the first one on its route. */
export type Answer = (response: ServerResponse, request: SeenRequest, count: number) => void;

export const status =
  (code: number, body = "", headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers).end(body);
  };

export const json = (value: unknown): Answer =>
  status(200, JSON.stringify(value), { "content-type": "application/json" });

/** Neither an answer nor an end. */
export const silence: Answer = () => undefined;

/** Breaks the connection without an answer. */
export const hangUp: Answer = (response) => {
  response.destroy();
};

/** One after the other; the last one for all that follow. */
export const inTurn =
  (...answers: readonly Answer[]): Answer =>
  (response, request, count) =>
    answers[Math.min(count, answers.length) - 1]?.(response, request, count);

/**
 * Serves `content` with ranges as a good server does.
 * @param cutAfter Break each connection off after so many bytes of it.
 */
export function artifact(content: Buffer, cutAfter = Number.POSITIVE_INFINITY): Answer {
  const etag = `"${createHash("sha256").update(content).digest("hex").slice(0, 16)}"`;
  return (response, { headers }) => {
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const ranged = from !== undefined && (headers["if-range"] === undefined || headers["if-range"] === etag);
    const start = ranged ? Number(from) : 0;
    const end = ranged && last ? Math.min(Number(last) + 1, content.length) : content.length;
    response.writeHead(ranged ? 206 : 200, {
      etag,
      "content-length": end - start,
      ...(ranged ? { "content-range": `bytes ${start}-${end - 1}/${content.length}` } : {}),
    });
    const body = content.subarray(start, end);
    if (body.length <= cutAfter) response.end(body);
    else response.write(body.subarray(0, cutAfter), () => response.destroy());
  };
}

/** A server of the device API that does what a test tells it to. */
export class SupportServer {
  readonly requests: SeenRequest[] = [];
  readonly #answers = new Map<string, Answer>();
  readonly #counts = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  url = "";

  constructor() {
    this.on(DEVICE_PATHS.authRequests, (response, _request, count) => {
      response.end(`token-${count}`);
    });
    this.on(DEVICE_PATHS.inventory, status(200));
    this.on(DEVICE_PATHS.nextV2, status(204));
  }

  static async start(): Promise<SupportServer> {
    const server = new SupportServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    server.url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  /** From now on, answer requests for `path` so. Status and log are answered with 204 unless told otherwise. */
  on(path: string, answer: Answer): this {
    this.#answers.set(path, answer);
    this.#counts.delete(path);
    return this;
  }

  /** What was asked for `path`, oldest first. */
  seen(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path.split("?")[0] === path);
  }

  /** Resolves as soon as `condition` holds; it is looked at after each request. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const seen = { method, path: url, headers, body: Buffer.concat(chunks).toString() };
    const [path = ""] = url.split("?");
    const count = (this.#counts.get(path) ?? 0) + 1;
    this.#counts.set(path, count);
    const answer = this.#answers.get(path) ?? (/\/(status|log)$/.test(path) ? status(204) : status(404));
    answer(response, seen, count);
    this.requests.push(seen);
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A port of this machine on which nothing listens. */
export async function unusedUrl(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  // Nobody took it in the meantime.
  const socket = connect(port, "127.0.0.1");
  await once(socket, "error");
  return `http://127.0.0.1:${port}`;
}
