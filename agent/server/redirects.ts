import type { HttpResponse } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { header } from "./answers.ts";
import { masked } from "./masking.ts";

export const REDIRECTS_MAX = 5;

/** These keep method and body; other redirects are followed only for a GET. */
const KEEPING = new Set([307, 308]);
const REDIRECTS = new Set([301, 302, 303, ...KEEPING]);

export function isRedirect({ status }: Pick<HttpResponse, "status">): boolean {
  return REDIRECTS.has(status);
}

/** True if `host` (with its port, unless it is the scheme's default) is in `allowed`; `.example.com` means all hosts below. */
export function isAllowed(host: string, allowed: readonly string[]): boolean {
  const name = host.toLowerCase();
  const bare = name.replace(/:\d+$/, "");
  return allowed
    .map((entry) => entry.toLowerCase())
    .some((entry) => (entry.startsWith(".") ? bare.endsWith(entry) : entry === name || entry === bare));
}

/**
 * True if what begins at `from` with TLS would go on at `to` without: links to artifacts, and redirects. It is refused
 * unless artifacts must be signed, for then the connection need not be trusted.
 */
export function losesTls(from: string, to: string): boolean {
  return new URL(from).protocol === "https:" && new URL(to).protocol !== "https:";
}

/** True if secrets for the server at `from` may go to `to`: the same scheme, host and port, or a configured server. */
export function keepsSecrets(from: string, to: string, servers: readonly string[]): boolean {
  const { origin } = new URL(to);
  return origin === new URL(from).origin || servers.some((server) => new URL(server).origin === origin);
}

/**
 * The target of a redirect.
 * @param made Redirects that were followed already.
 * @param allowed Hosts that a redirect may lead to besides the same host.
 * @param servers The configured servers.
 * @throws AgentError `redirect-refused`, saying why.
 */
export function redirectTarget(
  answer: Pick<HttpResponse, "status" | "headers">,
  asked: { readonly url: string; readonly method: string; readonly what: string; readonly mayLoseTls?: boolean },
  made: number,
  allowed: readonly string[],
  servers: readonly string[] = [],
): string {
  const refuse = (why: string): AgentError =>
    new AgentError("redirect-refused", `${asked.what}: the server answered ${answer.status}: ${why}`);
  const from = new URL(asked.url);
  const location = header(answer.headers, "location");
  if (location === undefined) throw refuse("it does not say where to go");
  if (!URL.canParse(location, from.href)) throw refuse(`'${masked(location)}' is no URL`);
  const to = new URL(location, from.href);
  if (made >= REDIRECTS_MAX) throw refuse(`it sends on to ${to.host}, after ${made} others had done so`);
  if (!/^https?:$/.test(to.protocol)) throw refuse(`it sends on to a ${to.protocol} URL`);
  if (losesTls(from.href, to.href) && asked.mayLoseTls !== true) {
    throw refuse(`it sends on to ${to.host} without TLS`);
  }
  if (asked.method !== "GET" && !KEEPING.has(answer.status)) {
    throw refuse(`only 307 and 308 may send on what is no GET, and this leads to ${to.host}`);
  }
  const trusted = keepsSecrets(from.href, to.href, servers);
  if (asked.method !== "GET" && !trusted) {
    throw refuse(
      `it sends on to ${to.origin}, and what the device says to ${from.origin} goes to no other server but those that ServerURL or Servers names`,
    );
  }
  if (!trusted && to.hostname !== from.hostname && !isAllowed(to.host, allowed)) {
    throw refuse(`it sends on to ${to.host}, which is neither the same host nor one of RedirectHosts`);
  }
  return to.href;
}
