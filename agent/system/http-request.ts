import * as http from "node:http";
import * as https from "node:https";
import type { HttpRequest } from "@upkeep/shared/system";
import { plainAgent, tlsAgent } from "./tls.ts";
import { HEADER_BYTES_MAX, proxyAt, type TunnelRequestOptions } from "./tunnel.ts";

/** Where a request goes, and on which kind of connection. */
function route({ url, tls, proxy: through }: HttpRequest): https.RequestOptions {
  const target = new URL(url);
  const proxy = through === undefined ? undefined : proxyAt(through);
  const host = target.hostname.replace(/^\[|\]$/g, "");
  if (target.protocol === "https:") {
    const port = Number(target.port || 443);
    return { protocol: "https:", host, port, path: target.pathname + target.search, agent: tlsAgent(tls, proxy) };
  }
  if (proxy === undefined) {
    const port = Number(target.port || 80);
    return { protocol: "http:", host, port, path: target.pathname + target.search, agent: plainAgent };
  }
  // A proxy gets the whole URL of a plain HTTP request (RFC 9112, 3.2.2), and not the device's certificate.
  const { certificate: _certificate, key: _key, keyInEngine: _engine, ...trust } = tls ?? {};
  return {
    protocol: proxy.secure ? "https:" : "http:",
    host: proxy.host,
    port: proxy.port,
    path: `${target.origin}${target.pathname}${target.search}`,
    agent: proxy.secure ? tlsAgent(trust) : plainAgent,
    headers: {
      host: target.host,
      ...(proxy.authorization === undefined ? {} : { "proxy-authorization": proxy.authorization }),
    },
  };
}

/** What is sent unless the request says otherwise. A compressed answer would have to be unpacked. */
const DEFAULT_HEADERS = { accept: "*/*", "accept-encoding": "identity" };

/**
 * Send one request with Node's own HTTP, and wait for the answer's head: no redirects, no decompression, no limits.
 * @param onRequest Called with the request as soon as it exists, and with a function that breaks it off.
 */
export function sendRequest(
  request: HttpRequest,
  onRequest: (sent: http.ClientRequest, breakOff: (reason: unknown) => void) => void,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, body, signal } = request;
    signal?.throwIfAborted();
    const { headers: routing = {}, ...options } = route(request);
    const given = Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
    const data = body === undefined ? undefined : Buffer.from(body);
    const givenUp = new AbortController();
    const all: TunnelRequestOptions = {
      ...options,
      method,
      maxHeaderSize: HEADER_BYTES_MAX,
      headers: { ...DEFAULT_HEADERS, ...Object.fromEntries(given), ...routing },
      givenUp: givenUp.signal,
    };
    const sent = (options.protocol === "https:" ? https : http).request(all);
    // A request without a connection does not emit an error when it is destroyed.
    const breakOff = (reason: unknown): void => {
      sent.destroy();
      givenUp.abort();
      reject(reason);
    };
    const onAbort = (): void => breakOff(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    sent.once("close", () => signal?.removeEventListener("abort", onAbort));
    sent.on("error", reject);
    sent.once("response", (message) => {
      signal?.removeEventListener("abort", onAbort);
      resolve(message);
    });
    onRequest(sent, breakOff);
    sent.end(data);
  });
}
