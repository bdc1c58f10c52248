import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { throughDoor } from "./faults.ts";

/** How long a connection may stay open without a request: longer than the pauses of a busy client. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS_MAX = 60_000;
/** In the middle of a request or an answer neither side may be silent for longer. */
const SILENCE_MS_MAX = 3_600_000;

export interface TlsIdentity {
  /** PEM, with the chain. */
  readonly certificate: string;
  readonly key: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: TlsIdentity;
  /** A connection on which nothing moves for so long in the middle of a request is cut. Default: an hour. */
  readonly silenceMsMax?: number;
}

/** A server that takes connections. */
export interface Listening {
  /** The port that it really got. */
  readonly port: number;
  /**
   * Take no new connections, let what is in flight finish, and end what has not after `graceMs`.
   * @returns How many connections had to be cut.
   */
  close(graceMs: number): Promise<number>;
}

/**
 * Take connections and hand their requests to `listener`.
 * @throws SystemError: EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND; ERR_… of OpenSSL for a bad certificate.
 */
export async function listen(listener: RequestListener, options: ListenOptions): Promise<Listening> {
  return await throughDoor(start(listener, options));
}

async function start(
  listener: RequestListener,
  { host, port, tls, silenceMsMax = SILENCE_MS_MAX }: ListenOptions,
): Promise<Listening> {
  const server =
    tls === undefined
      ? createServer()
      : createTlsServer({ cert: tls.certificate, key: tls.key, minVersion: "TLSv1.2" });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_MS_MAX;
  // A large artifact over a slow line takes as long as it takes.
  server.requestTimeout = 0;
  server.timeout = silenceMsMax;
  const connections = new Connections(server, listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => connections.close(graceMs) };
}

/**
 * Keeps a TLS connection whose request arrives in two records while an answer is still on its way. Node (20, 22 and 24)
 * then pauses its parser between the two, but feeds it the second record all the same: the parser fails (HPE_PAUSED) and
 * the connection is cut. A listener for "data" makes Node read through the stream, which keeps what arrives meanwhile.
 */
function readThroughStream(socket: Socket): void {
  socket.on("data", () => undefined);
}

interface Connection {
  /** How many are not answered yet. */
  requests: number;
}

/** The open connections, and which of them are in the middle of a request. */
class Connections {
  readonly #server: Server;
  readonly #open = new Map<Socket, Connection>();
  #closing = false;

  constructor(server: Server, listener: RequestListener) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      // With TLS, requests come on a wrapper of this socket, which is seen in "secureConnection".
      if (!("key" in server)) this.#track(socket);
    });
    server.on("secureConnection", (socket: Socket) => {
      readThroughStream(socket);
      this.#track(socket);
    });
    server.on("request", (request, response) => {
      const { socket } = request;
      const connection = this.#open.get(socket);
      if (this.#closing) response.shouldKeepAlive = false;
      if (connection !== undefined) {
        connection.requests += 1;
        response.on("close", () => {
          connection.requests -= 1;
          if (this.#closing && connection.requests === 0) socket.end();
        });
      }
      listener(request, response);
    });
  }

  #track(socket: Socket): void {
    this.#open.set(socket, { requests: 0 });
    socket.once("close", () => this.#open.delete(socket));
  }

  async close(graceMs: number): Promise<number> {
    this.#closing = true;
    // Not http.Server's own close(): it destroys connections whose last bytes are still on their way out.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
    for (const [socket, { requests }] of this.#open) if (requests === 0) socket.end();
    let cut = 0;
    const timer = setTimeout(() => {
      cut = this.#open.size;
      this.#server.closeAllConnections();
      for (const socket of this.#open.keys()) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    // Stops the timer that looks for stale connections.
    this.#server.close();
    return cut;
  }
}
