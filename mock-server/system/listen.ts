import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { ConnectionCounts } from "./connection-counts.ts";
import { type ConnectionLimits, Connections } from "./connections.ts";
import { throughDoor } from "./faults.ts";

/** How long a connection may stay open without a request: longer than the pauses of a busy client. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS_MAX = 60_000;
const HANDSHAKE_MS_MAX = 30_000;
/** Limit of silence in the middle of a request or an answer. */
const SILENCE_MS_MAX = 3_600_000;

export interface TlsIdentity {
  /** PEM, with the chain. */
  readonly certificate: string;
  readonly key: string;
}

export interface ListenOptions extends ConnectionLimits {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: TlsIdentity;
  /** Limit of silence in the middle of a request or an answer, in milliseconds. Default: an hour. */
  readonly silenceMsMax?: number;
  /** Counts how connections end. */
  readonly counts?: ConnectionCounts;
}

/** A server that takes connections. */
export interface Listening {
  /** The assigned port. */
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
  { host, port, tls, silenceMsMax = SILENCE_MS_MAX, counts = new ConnectionCounts(), ...limits }: ListenOptions,
): Promise<Listening> {
  const server =
    tls === undefined
      ? createServer()
      : createTlsServer({
          cert: tls.certificate,
          key: tls.key,
          minVersion: "TLSv1.2",
          handshakeTimeout: HANDSHAKE_MS_MAX,
        });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_MS_MAX;
  // No limit: a large artifact over a slow line takes long. body-pace.ts limits how slow.
  server.requestTimeout = 0;
  server.timeout = silenceMsMax;
  const connections = new Connections(server, listener, limits, counts);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => connections.close(graceMs) };
}
