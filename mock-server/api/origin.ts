import type { ApiRequest } from "./route.ts";

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

function first(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text?.split(",", 1)[0]?.trim();
}

/**
 * Scheme and host under which the client reaches this server: as a proxy in front says, else the request's Host, else
 * the local address of the connection.
 */
export function originOf(request: Pick<ApiRequest, "headers" | "socket">): string {
  const { headers, socket } = request;
  const forwarded = first(headers["x-forwarded-proto"]);
  const own = "encrypted" in socket ? "https" : "http";
  const scheme = forwarded === "http" || forwarded === "https" ? forwarded : own;
  for (const host of [first(headers["x-forwarded-host"]), headers.host]) {
    if (host !== undefined && HOST.test(host)) return `${scheme}://${host}`;
  }
  const { localAddress = "localhost", localPort } = socket;
  const name = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
  return `${scheme}://${name}${localPort === undefined ? "" : `:${localPort}`}`;
}
