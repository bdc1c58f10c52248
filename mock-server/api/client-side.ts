import { isIpAddress, plainAddress } from "../system/networks.ts";
import type { ApiRequest } from "./route.ts";

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const WITH_PORT = /:\d{1,5}$/;
const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)+\/?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
/** No chain of proxies writes more. */
const FORWARDED_CHARACTERS_MAX = 1000;

/** A request as the client sent it, to this server or to the first proxy. */
export interface ClientSide {
  /** IP address. */
  readonly address: string;
  /** Path that a proxy removed from the beginning of the request's path; without a slash at the end. */
  readonly prefix: string;
  /** Scheme, host and prefix: the URL of the request before `/api/…`. */
  readonly baseUrl: string;
}

/** Lists of what proxies told, the proxy next to this server last. */
interface Told {
  readonly addresses: readonly string[];
  readonly protocols: readonly string[];
  readonly hosts: readonly string[];
  readonly ports: readonly string[];
  readonly prefixes: readonly string[];
}

const NOTHING: Told = { addresses: [], protocols: [], hosts: [], ports: [], prefixes: [] };

/** @param isProxy True for addresses of proxies whose headers are believed. */
export function clientSideOf(
  { headers, socket }: Pick<ApiRequest, "headers" | "socket">,
  isProxy: (address: string) => boolean = () => false,
): ClientSide {
  const peer = plainAddress(socket.remoteAddress ?? "");
  const told = isProxy(peer) ? toldBy(headers) : NOTHING;
  const { address, proxies } = clientOf(told.addresses, peer, isProxy);
  // Each proxy of a chain may have added to a list, or kept it.
  const at = (list: readonly string[]): string | undefined => list[Math.max(0, list.length - 1 - proxies)];
  const own = "encrypted" in socket ? "https" : "http";
  const protocol = at(told.protocols)?.toLowerCase() ?? "";
  const scheme = Object.hasOwn(DEFAULT_PORTS, protocol) ? protocol : own;
  const host = [at(told.hosts), headers.host].find((one) => one !== undefined && HOST.test(one)) ?? localHost(socket);
  const said = at(told.prefixes) ?? "";
  const prefix = PREFIX.test(said) ? said.replace(/\/$/, "") : "";
  return { address, prefix, baseUrl: `${scheme}://${withPort(host, at(told.ports), scheme)}${prefix}` };
}

/** The last address that is no proxy's, and how many proxies are between it and the peer. */
function clientOf(
  addresses: readonly string[],
  peer: string,
  isProxy: (address: string) => boolean,
): { readonly address: string; readonly proxies: number } {
  let address = peer;
  for (const [proxies, one] of [...addresses].reverse().entries()) {
    // A proxy may keep an address to itself: then its own is the last one known.
    if (!isIpAddress(one)) return { address, proxies };
    address = one;
    if (!isProxy(one) || proxies === addresses.length - 1) return { address, proxies };
  }
  return { address, proxies: 0 };
}

function localHost({ localAddress = "localhost", localPort }: ApiRequest["socket"]): string {
  const name = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
  return localPort === undefined ? name : `${name}:${localPort}`;
}

/** A proxy may tell the port apart from the host. */
function withPort(host: string, port: string | undefined, scheme: string): string {
  if (port === undefined || WITH_PORT.test(host) || port === DEFAULT_PORTS[scheme]) return host;
  return /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535 ? `${host}:${port}` : host;
}

/**
 * A client can send the headers that its proxy does not set. If `Forwarded` and `X-Forwarded-For` differ, one of them
 * is the client's: neither is believed.
 */
function toldBy(headers: ApiRequest["headers"]): Told {
  const named = (name: string): readonly string[] => itemsOf(headers[`x-forwarded-${name}`]);
  const older = named("for").map(addressOf);
  const elements = forwardedElements(headers.forwarded);
  const newer = elements.map((element) => addressOf(element.get("for") ?? ""));
  if (older.length > 0 && newer.length > 0 && older.join() !== newer.join()) return NOTHING;
  const either = (name: "host" | "proto"): readonly string[] => {
    const items = named(name);
    return items.length > 0 ? items : elements.map((element) => element.get(name) ?? "");
  };
  return {
    addresses: older.length > 0 ? older : newer,
    protocols: either("proto"),
    hosts: either("host"),
    ports: named("port"),
    prefixes: named("prefix"),
  };
}

function itemsOf(value: string | readonly string[] | undefined): readonly string[] {
  const text = typeof value === "string" ? value : (value ?? []).join();
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Without the port and the brackets that may be around it. */
function addressOf(node: string): string {
  const [, bracketed, ipv4] = /^(?:\[([^\]]*)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/.exec(node) ?? [];
  return plainAddress(bracketed ?? ipv4 ?? node);
}

/** Parses `Forwarded` (RFC 7239): of each proxy, its parameters. */
function forwardedElements(value: string | readonly string[] | undefined): ReadonlyMap<string, string>[] {
  const text = typeof value === "string" ? value : (value ?? []).join();
  if (text.length > FORWARDED_CHARACTERS_MAX) return [];
  const elements = text.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return elements.map((element) => {
    const pairs = element.match(/(?:[^";]|"(?:[^"\\]|\\.)*")+/g) ?? [];
    return new Map(pairs.map(parameterOf));
  });
}

function parameterOf(pair: string): [name: string, value: string] {
  const equals = pair.indexOf("=");
  const value = pair.slice(equals + 1).trim();
  const quoted = /^"(.*)"$/s.exec(value)?.[1]?.replace(/\\(.)/gs, "$1");
  return [pair.slice(0, equals).trim().toLowerCase(), quoted ?? value];
}
