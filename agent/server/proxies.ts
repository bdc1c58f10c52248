import { AddressRange } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

/** Which proxy a request goes through. */
export interface Proxies {
  /** For `http://` URLs; a URL itself. */
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Hosts that are reached without a proxy. */
  readonly exceptions: readonly ProxyException[];
}

/** One entry of NO_PROXY. */
export type ProxyException =
  | { readonly kind: "all" }
  /** All hosts below the domain `name`, and, unless `below`, the host of that name. */
  | { readonly kind: "name"; readonly name: string; readonly below: boolean; readonly port: number | undefined }
  | { readonly kind: "addresses"; readonly range: AddressRange; readonly port: number | undefined };

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

const numberOf = (port: string | undefined): number | undefined => (port === undefined ? undefined : Number(port));

/** @returns `undefined` for a text that is no entry. */
function exception(entry: string): ProxyException | undefined {
  if (entry === "*") return { kind: "all" };
  // An IPv6 address has colons of its own, so its port needs brackets: [::1]:8080.
  const [, bracketed, length = "", bracketedPort] = /^\[(.+)\](\/\d{1,3})?(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const alone = AddressRange.parse(bracketed === undefined ? entry : `${bracketed}${length}`);
  if (alone !== undefined) return { kind: "addresses", range: alone, port: numberOf(bracketedPort) };
  const [, host = "", port] = /^([^:/]+)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const range = AddressRange.parse(host);
  if (range !== undefined) return { kind: "addresses", range, port: numberOf(port) };
  const name = host
    .toLowerCase()
    .replace(/^\*?\./, "")
    .replace(/\.$/, "");
  if (name === "" || /[*[\]]/.test(name)) return undefined;
  return { kind: "name", name, below: /^\*\./.test(host), port: numberOf(port) };
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

/** The variable in lower or upper case. @throws AgentError `proxy-invalid` if they differ. */
function either(environment: Environment, name: string): string | undefined {
  const [lower, upper] = [environment[name.toLowerCase()], environment[name.toUpperCase()]];
  if (lower && upper && lower !== upper) {
    throw new AgentError("proxy-invalid", `${name.toLowerCase()} and ${name.toUpperCase()} are both set, and differ`);
  }
  return lower || upper || undefined;
}

function hasDecodableUser(url: string): boolean {
  const { username, password } = new URL(url);
  try {
    decodeURIComponent(`${username}${password}`);
    return true;
  } catch {
    return false;
  }
}

function proxyUrl(environment: Environment, name: string): string | undefined {
  const text = either(environment, name);
  if (text === undefined) return undefined;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && hasDecodableUser(url)) return url;
  // A password may be in it, so the value is not shown.
  throw new AgentError(
    "proxy-invalid",
    `${name} must be a URL that starts with http:// or https://, with user and password, if any, percent-encoded`,
  );
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
    case "addresses":
      return (entry.port === undefined || entry.port === port) && entry.range.includes(host);
    case "name":
      if (entry.port !== undefined && entry.port !== port) return false;
      return host.endsWith(`.${entry.name}`) || (!entry.below && host === entry.name);
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
