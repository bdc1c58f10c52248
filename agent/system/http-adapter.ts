import * as http from "node:http";
import * as https from "node:https";
import type { HttpRequest } from "@upkeep/shared/system";
import type { AxiosAdapter, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import { plainAgent, tlsAgent } from "./tls.ts";
import { proxyAt } from "./tunnel.ts";

export type HttpAdapter = AxiosAdapter;

/** What says where a request goes, and on which kind of connection. */
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
  // A proxy is asked for plain HTTP by the whole URL (RFC 9112, 3.2.2). It is not shown the device's certificate.
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

function headersOf(config: InternalAxiosRequestConfig): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = {};
  // What axios was told not to send is not in here.
  for (const [name, value] of Object.entries(config.headers.toJSON())) headers[name] = value as string;
  return headers;
}

/**
 * Carries one of axios's requests out over Node's own HTTP, and nothing more: no redirects, no decompression,
 * no limits. axios's adapter for Node brings in HTTP/2, forms and tables of media types: that is a quarter of
 * the memory of an agent that never uses them.
 * @param onRequest Called with the request as soon as it is made, and with what breaks it off.
 */
export function httpAdapter(
  request: HttpRequest,
  onRequest: (made: http.ClientRequest, breakOff: (reason: unknown) => void) => void,
): HttpAdapter {
  return (config) =>
    new Promise<AxiosResponse>((resolve, reject) => {
      const { signal } = request;
      const { headers: routing = {}, ...options } = route(request);
      const made = (options.protocol === "https:" ? https : http).request({
        ...options,
        method: request.method,
        headers: { ...headersOf(config), ...routing },
      });
      // A request that has no connection yet tells nobody that it was destroyed.
      const breakOff = (reason: unknown): void => {
        made.destroy();
        reject(reason);
      };
      const onAbort = (): void => breakOff(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      made.once("close", () => signal?.removeEventListener("abort", onAbort));
      made.on("error", reject);
      made.once("response", (message) => {
        signal?.removeEventListener("abort", onAbort);
        resolve({
          data: message,
          status: message.statusCode ?? 0,
          statusText: message.statusMessage ?? "",
          headers: {},
          config,
          request: made,
        });
      });
      onRequest(made, breakOff);
      const data: unknown = config.data;
      made.end(data instanceof Uint8Array ? data : undefined);
    });
}
