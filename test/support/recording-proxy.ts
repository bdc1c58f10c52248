import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  /** Of the answer; `undefined` while there is none, and if the connection broke before it. */
  status: number | undefined;
}

/** Stands between a device and its server, changes nothing and remembers what was said. */
export class RecordingProxy {
  readonly exchanges: Exchange[] = [];
  #losing: ((exchange: Exchange) => boolean) | undefined;
  /** Told of each request before the server gets it. */
  onRequest: ((exchange: Exchange) => void) | undefined;
  /** Told of each answer before the device gets it. */
  onAnswer: ((exchange: Exchange) => void) | undefined;
  /** The server's URL; without one, connections are cut. */
  target: string | undefined;
  readonly #server: Server;

  private constructor(server: Server, target: string | undefined) {
    this.#server = server;
    this.target = target;
  }

  static async start(target: string | undefined): Promise<RecordingProxy> {
    const server = createServer();
    const proxy = new RecordingProxy(server, target);
    server.on("request", async (incoming, outgoing) => {
      const body = await readAll(incoming);
      const exchange: Exchange = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        body: body.toString("utf8"),
        status: undefined,
      };
      proxy.exchanges.push(exchange);
      proxy.onRequest?.(exchange);
      if (proxy.target === undefined) {
        outgoing.destroy();
        return;
      }
      const forwarded = request(
        new URL(exchange.path, proxy.target),
        { method: exchange.method, headers: { ...incoming.headers, "x-forwarded-host": incoming.headers.host ?? "" } },
        (answer) => {
          exchange.status = answer.statusCode;
          proxy.onAnswer?.(exchange);
          if (proxy.#losing?.(exchange)) return;
          outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
          answer.pipe(outgoing);
          answer.on("close", () => {
            if (!answer.complete) outgoing.destroy();
          });
        },
      );
      forwarded.on("error", () => outgoing.destroy());
      outgoing.on("close", () => forwarded.destroy());
      forwarded.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Deliver, from now on, no answer to a request for which `losing` is true; the server gets the request. */
  loseAnswers(losing: (exchange: Exchange) => boolean): void {
    this.#losing = losing;
  }

  /** Statuses that were reported for a deployment, in order, with the answers' status codes. */
  reports(deployment: string): { status: string; answer: number | undefined }[] {
    return this.exchanges
      .filter(({ method, path }) => method === "PUT" && path.endsWith(`/${deployment}/status`))
      .map(({ body, status }) => ({ status: (JSON.parse(body) as { status: string }).status, answer: status }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
