import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { BODY_PACE, type BodyPace, PaceWatch } from "./body-pace.ts";
import type { ConnectionCounts, ConnectionEnd } from "./connection-counts.ts";

const PACE_CHECKED_EVERY_MS = 5000;
const TOO_SLOW = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** Limits of open connections. */
export interface ConnectionLimits {
  /** In all. Absent: no limit. */
  readonly connectionsMax?: number;
  /** From one address other than this machine's own, where a proxy or a test may be. 0 or absent: no limit. */
  readonly connectionsPerAddressMax?: number;
  /** Addresses without a limit of their own. Default: the loopback addresses. */
  readonly isExempt?: (address: string) => boolean;
  readonly bodyPace?: BodyPace;
  readonly paceCheckedEveryMs?: number;
}

interface Connection {
  readonly address: string;
  /** The socket of the requests: with TLS not the accepted one. */
  socket: Socket;
  /** Requests that are not answered yet. */
  requests: number;
  /** Sequence number of the last answer, over all connections: the least is idle for longest. */
  idleSince: number;
  /** The last request and its answer. */
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  pace: PaceWatch | undefined;
  /** To be called when either of its sockets is closed. */
  readonly closed: () => void;
}

export const isLoopback = (address: string): boolean => /^(::1$|(::ffff:)?127\.)/i.test(address);

/** Names a connection on both of its sockets, the plain one and that of TLS. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/**
 * Keeps a TLS connection whose request arrives in two records while an answer is still on its way. Node (20, 22 and 24)
 * then pauses its parser between the two, but feeds it the second record all the same: the parser fails (HPE_PAUSED) and
 * the connection is cut. A listener for "data" makes Node read through the stream, which keeps what arrives meanwhile.
 */
function readThroughStream(socket: Socket): void {
  socket.on("data", () => undefined);
}

/** The open connections of a server and their requests in flight. */
export class Connections {
  readonly #server: Server;
  readonly #limits: ConnectionLimits;
  readonly #counts: ConnectionCounts;
  readonly #byPeer = new Map<string, Connection>();
  /** By the socket of their requests. */
  readonly #open = new Map<Socket, Connection>();
  readonly #ofAddress = new Map<string, number>();
  #paceTimer: NodeJS.Timeout | undefined;
  #answered = 0;
  #closing = false;

  constructor(server: Server, listener: RequestListener, limits: ConnectionLimits, counts: ConnectionCounts) {
    this.#server = server;
    this.#limits = limits;
    this.#counts = counts;
    server.on("connection", (socket: Socket) => this.#take(socket));
    server.on("secureConnection", (socket: Socket) => {
      readThroughStream(socket);
      this.#secured(socket);
    });
    server.on("request", (request, response) => {
      const { socket } = request;
      const connection = this.#open.get(socket);
      if (this.#closing) response.shouldKeepAlive = false;
      if (connection !== undefined) {
        connection.requests += 1;
        connection.request = request;
        connection.response = response;
        response.on("close", () => {
          connection.requests -= 1;
          connection.idleSince = ++this.#answered;
          if (this.#closing && connection.requests === 0) socket.destroySoon();
        });
      }
      listener(request, response);
    });
    const everyMs = limits.paceCheckedEveryMs ?? PACE_CHECKED_EVERY_MS;
    server.once("listening", () => {
      this.#paceTimer = setInterval(() => this.#cutSlowBodies(everyMs), everyMs).unref();
    });
  }

  #take(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const refusal = this.#refusalOf(address);
    if (refusal !== undefined) {
      this.#counts.count(refusal, address);
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    const connection: Connection = {
      address,
      socket,
      requests: 0,
      idleSince: this.#answered,
      request: undefined,
      response: undefined,
      pace: undefined,
      closed: () => this.#forget(peer, connection),
    };
    this.#byPeer.set(peer, connection);
    this.#open.set(socket, connection);
    this.#ofAddress.set(address, (this.#ofAddress.get(address) ?? 0) + 1);
    this.#counts.open += 1;
    socket.once("close", connection.closed);
  }

  #forget(peer: string, connection: Connection): void {
    if (!this.#open.delete(connection.socket)) return;
    const { address } = connection;
    if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer);
    const others = (this.#ofAddress.get(address) ?? 1) - 1;
    if (others === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, others);
    this.#counts.open -= 1;
  }

  #secured(socket: Socket): void {
    const connection = this.#byPeer.get(peerOf(socket));
    if (connection === undefined) return;
    this.#open.delete(connection.socket);
    connection.socket = socket;
    this.#open.set(socket, connection);
    socket.once("close", connection.closed);
  }

  /** Makes room by closing the connection that is idle for longest. @returns Why there is none, or `undefined`. */
  #refusalOf(address: string): ConnectionEnd | undefined {
    const {
      connectionsMax = Number.POSITIVE_INFINITY,
      connectionsPerAddressMax = 0,
      isExempt = isLoopback,
    } = this.#limits;
    const ofAddress = this.#ofAddress.get(address) ?? 0;
    if (connectionsPerAddressMax > 0 && ofAddress >= connectionsPerAddressMax && !isExempt(address)) {
      return this.#closeIdle(address) ? undefined : "too-many-from-address";
    }
    if (this.#counts.open >= connectionsMax && !this.#closeIdle(undefined)) return "too-many";
    return undefined;
  }

  #closeIdle(address: string | undefined): boolean {
    let idle: Connection | undefined;
    for (const connection of this.#open.values()) {
      if (connection.requests > 0 || connection.socket.writableLength > 0 || connection.socket.destroyed) continue;
      if (address !== undefined && connection.address !== address) continue;
      if (idle === undefined || connection.idleSince < idle.idleSince) idle = connection;
    }
    if (idle === undefined) return false;
    this.#counts.count("idle-for-others", idle.address);
    idle.socket.destroy();
    return true;
  }

  #cutSlowBodies(elapsedMs: number): void {
    for (const connection of this.#open.values()) {
      const { request, response, socket } = connection;
      if (request === undefined || request.complete || socket.destroyed) continue;
      if (connection.pace?.isFor(request) !== true) connection.pace = new PaceWatch(request);
      if (!connection.pace?.isTooSlow(elapsedMs, this.#limits.bodyPace ?? BODY_PACE)) continue;
      this.#counts.count("body-too-slow", connection.address);
      if (response?.headersSent === false) socket.write(TOO_SLOW);
      socket.destroySoon();
    }
  }

  async close(graceMs: number): Promise<number> {
    this.#closing = true;
    clearInterval(this.#paceTimer);
    // Not http.Server's own close(): it destroys connections whose last bytes are still on their way out.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
    // Not end(): it waits for the other side, and a client that pools connections may keep its side open.
    for (const [socket, { requests }] of this.#open) if (requests === 0) socket.destroySoon();
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
