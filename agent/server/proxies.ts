import { AgentError } from "../errors.ts";

/** Which proxy a request goes through. */
export interface Proxies {
  /** For `http://` URLs; a URL itself. */
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Hosts that are reached without one. */
  readonly exceptions: readonly ProxyException[];
}

/** One entry of NO_PROXY. */
export type ProxyException =
  | { readonly kind: "all" }
  /** The host itself and, unless `below` only, all whose name ends in `.` and it. */
  | { readonly kind: "name"; readonly name: string; readonly below: boolean; readonly port: number | undefined }
  | { readonly kind: "network"; readonly bits: bigint; readonly length: number; readonly family: 4 | 6 };

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

interface Address {
  readonly bits: bigint;
  readonly family: 4 | 6;
}

function ipv4(text: string): bigint | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((bits, part) => bits * 256n + BigInt(part), 0n);
}

function ipv6(text: string): bigint | undefined {
  // The last part may be written as an IPv4 address.
  const dotted = /^(.*:)([\d.]+\.[\d.]+)$/.exec(text);
  const last = dotted?.[2] === undefined ? undefined : ipv4(dotted[2]);
  if (dotted !== null && last === undefined) return undefined;
  const plain =
    last === undefined ? text : `${dotted?.[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`;
  const [front = "", back, ...more] = plain.split("::");
  if (more.length > 0) return undefined;
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [left, right] = [groups(front), groups(back ?? "")];
  const missing = 8 - left.length - right.length;
  if (back === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...Array<string>(missing).fill("0"), ...right];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return all.reduce((bits, group) => bits * 65_536n + BigInt(`0x${group}`), 0n);
}

/** An IP address as a number; an IPv4 address in IPv6 clothes is the IPv4 address. */
function address(text: string): Address | undefined {
  const four = ipv4(text);
  if (four !== undefined) return { bits: four, family: 4 };
  const six = ipv6(text);
  if (six === undefined) return undefined;
  return six >> 32n === 0xffffn ? { bits: six & 0xffff_ffffn, family: 4 } : { bits: six, family: 6 };
}

function network(text: string): ProxyException | undefined {
  const [, host = "", length] = /^\[?([^\]/]+)\]?\/(\d{1,3})$/.exec(text) ?? [];
  const found = address(host);
  if (found === undefined || length === undefined) return undefined;
  const longest = found.family === 4 ? 32 : 128;
  if (Number(length) > longest) return undefined;
  const shift = BigInt(longest - Number(length));
  return { kind: "network", bits: found.bits >> shift, length: Number(length), family: found.family };
}

/** `undefined` for what is no entry at all. */
function exception(entry: string): ProxyException | undefined {
  if (entry === "*") return { kind: "all" };
  const net = network(entry);
  if (net !== undefined) return net;
  if (entry.includes("/")) return undefined;
  // An IPv6 address has colons of its own: its port comes after brackets only.
  const bracketed = /^\[(.+)\](?::(\d{1,5}))?$/.exec(entry);
  const named = address(entry) === undefined ? /^([^:]+)(?::(\d{1,5}))?$/.exec(entry) : [entry, entry];
  const [, host = "", port] = bracketed ?? named ?? [];
  const name = host
    .toLowerCase()
    .replace(/^\*?\./, "")
    .replace(/\.$/, "");
  if (name === "" || name.includes("*")) return undefined;
  return { kind: "name", name, below: /^\*\./.test(host), port: port === undefined ? undefined : Number(port) };
}

/** The entries of a NO_PROXY text: separated by commas or spaces. @throws AgentError `proxy-invalid`. */
export function proxyExceptions(text: string): ProxyException[] {
  return text
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map((entry) => {
      const found = exception(entry);
      if (found !== undefined) return found;
      throw new AgentError(
        "proxy-invalid",
        `NO_PROXY: '${entry}' is neither a host, a domain, an address, a network such as 10.0.0.0/8, nor *`,
      );
    });
}

/** The variable in either case. The lower one is the older custom. @throws AgentError `proxy-invalid` if they differ. */
function either(environment: Environment, name: string): string | undefined {
  const [lower, upper] = [environment[name.toLowerCase()], environment[name.toUpperCase()]];
  if (lower && upper && lower !== upper) {
    throw new AgentError("proxy-invalid", `${name.toLowerCase()} and ${name.toUpperCase()} are both set, and differ`);
  }
  return lower || upper || undefined;
}

function proxyUrl(environment: Environment, name: string): string | undefined {
  const text = either(environment, name);
  if (text === undefined) return undefined;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  // A password may be in it, so the value is not shown.
  throw new AgentError("proxy-invalid", `${name} must be a URL that starts with http:// or https://`);
}

/**
 * The proxies that the environment names: `http_proxy`, `https_proxy` and `no_proxy`, in either case.
 * @throws AgentError `proxy-invalid`, naming the variable.
 */
export function proxiesFrom(environment: Environment): Proxies {
  // To a CGI program, HTTP_PROXY is a header that the client chose.
  const cgi = environment.REQUEST_METHOD !== undefined;
  return {
    http: proxyUrl(cgi ? { http_proxy: environment.http_proxy } : environment, "http_proxy"),
    https: proxyUrl(environment, "https_proxy"),
    exceptions: proxyExceptions(either(environment, "no_proxy") ?? ""),
  };
}

function matches(entry: ProxyException, host: string, port: number): boolean {
  switch (entry.kind) {
    case "all":
      return true;
    case "network": {
      const target = address(host);
      if (target?.family !== entry.family) return false;
      return target.bits >> BigInt((entry.family === 4 ? 32 : 128) - entry.length) === entry.bits;
    }
    case "name": {
      if (entry.port !== undefined && entry.port !== port) return false;
      const [target, named] = [address(host), address(entry.name)];
      if (target !== undefined || named !== undefined)
        return target !== undefined && target.family === named?.family && target.bits === named.bits;
      return host.endsWith(`.${entry.name}`) || (!entry.below && host === entry.name);
    }
  }
}

/** The URL of the proxy for a request to `url`; `undefined` to go there directly. */
export function proxyFor(proxies: Proxies, url: string): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const proxy = protocol === "https:" ? proxies.https : proxies.http;
  if (proxy === undefined) return undefined;
  const host = hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  const number = port === "" ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port);
  return proxies.exceptions.some((entry) => matches(entry, host, number)) ? undefined : proxy;
}
