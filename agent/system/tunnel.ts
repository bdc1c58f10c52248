import * as http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { SystemError } from "@upkeep/shared/system";

/** An HTTP proxy. */
export interface HttpProxy {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`, if the proxy wants one. */
  readonly authorization: string | undefined;
}

/** The proxy at a URL such as `http://user:secret@proxy.example:3128`. */
export function proxyAt(url: string): HttpProxy {
  const { protocol, hostname, port, username, password } = new URL(url);
  const secure = protocol === "https:";
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    secure,
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (secure ? 443 : 80)),
    authorization: user === ":" ? undefined : `Basic ${Buffer.from(user).toString("base64")}`,
  };
}

/** How to verify a proxy that is reached over TLS. */
export interface Trust {
  readonly context: () => tls.SecureContext;
  readonly rejectUnauthorized: boolean;
}

/** Of an answer. Node's own limit is 16 KiB, which some gateways exceed with their cookies. */
export const HEADER_BYTES_MAX = 64 * 1024;

/** Limit for opening a tunnel, in which the proxy connects to the peer. */
const TUNNEL_MS_MAX = 120_000;

/**
 * Opens a connection to `target` (host and port) through `proxy`.
 * @param givenUp Aborted when the request that needs the tunnel has ended.
 */
function openTunnel(proxy: HttpProxy, target: string, trust: Trust, givenUp: AbortSignal | undefined): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(deadline);
      givenUp?.removeEventListener("abort", giveUp);
    };
    const refuse = (message: string, cause?: unknown): void => {
      settle();
      reject(new SystemError("EPROXY", `the proxy ${proxy.host}:${proxy.port} ${message}`, { cause }));
    };
    const { secure, host, port, authorization } = proxy;
    const options: https.RequestOptions = {
      method: "CONNECT",
      host,
      port,
      path: target,
      agent: false,
      maxHeaderSize: HEADER_BYTES_MAX,
      headers: { host: target, ...(authorization === undefined ? {} : { "proxy-authorization": authorization }) },
      ...(secure ? { secureContext: trust.context(), rejectUnauthorized: trust.rejectUnauthorized } : {}),
    };
    const request = (secure ? https : http).request(options);
    const deadline = setTimeout(() => {
      request.destroy();
      refuse(`opened no way to ${target} within ${TUNNEL_MS_MAX / 1000} s`);
    }, TUNNEL_MS_MAX);
    const giveUp = (): void => {
      request.destroy();
      refuse(`was still opening a way to ${target} when the request ended`);
    };
    if (givenUp?.aborted) giveUp();
    else givenUp?.addEventListener("abort", giveUp, { once: true });
    request.once("connect", (answer, socket, head) => {
      settle();
      if (answer.statusCode === 200 && head.length === 0) {
        resolve(socket);
        return;
      }
      socket.destroy();
      refuse(
        answer.statusCode === 200
          ? `sent something of its own for ${target}`
          : `opens no way to ${target}: ${answer.statusCode} ${answer.statusMessage ?? ""}`.trimEnd(),
      );
    });
    // An ordinary answer to CONNECT comes from the proxy itself.
    request.once("response", (answer) => {
      request.destroy();
      refuse(`opens no way to ${target}: ${answer.statusCode}`);
    });
    request.once("error", (error) => refuse(`cannot be used: ${error.message}`, error));
    request.end();
  });
}

/** Host and port in the form of CONNECT. */
function authority(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

type Created = (error: Error | null, socket?: Duplex) => void;

/** Options of a request that goes through a {@link TunnelAgent}. */
export interface TunnelRequestOptions extends https.RequestOptions {
  /** Aborted when the request has ended. Until the tunnel is open, Node knows of no socket that it could close then. */
  readonly givenUp?: AbortSignal;
}

/** TLS to the peer through the tunnel of an HTTP proxy, which sees only host and port. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: HttpProxy;
  readonly #trust: Trust;

  constructor(options: https.AgentOptions, proxy: HttpProxy, trust: Trust) {
    super(options);
    this.#proxy = proxy;
    this.#trust = trust;
  }

  override createConnection(
    options: tls.ConnectionOptions & Pick<TunnelRequestOptions, "givenUp"> & { host?: string },
    created: Created,
  ): undefined {
    const target = authority(options.host ?? "", options.port ?? 443);
    openTunnel(this.#proxy, target, this.#trust, options.givenUp).then(
      (socket) => created(null, tls.connect({ ...options, socket })),
      (error: Error) => created(error),
    );
  }
}
