import type { DevicePrincipal } from "../devices/index.ts";
import { unauthorized } from "../errors.ts";
import { mustBeAllowed, type UserPrincipal } from "../users/index.ts";
import { HttpError } from "./errors.ts";
import { type ApiRequest, permissionOf, type Route } from "./route.ts";

/**
 * Returns, or resolves, if `request` may be answered; throws, or rejects, with a 401 or, where a role does not
 * allow it, a 403.
 */
export type Authenticate = (
  request: ApiRequest,
  route: Pick<Route, "access" | "method" | "permission">,
) => Promise<void> | undefined;

/** Who a token belongs to now; each rejects with a 401 if it belongs to nobody. */
export interface TokenChecks {
  readonly device: (token: string) => Promise<DevicePrincipal>;
  /** The same without waiting; `undefined`: it must be waited for. Throws instead of rejecting. */
  readonly deviceNow: (token: string) => DevicePrincipal | undefined;
  readonly user: (token: string) => Promise<UserPrincipal>;
}

/** Stands in for a user where nobody logs in. */
const ANYBODY: UserPrincipal = { userId: "anybody", email: "", role: "admin", sessionId: "" };
const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

export function bearerToken(request: Pick<ApiRequest, "headers">): string | undefined {
  return /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? "")?.[1];
}

/**
 * A browser sends the cookie along with requests of other sites' pages as well, so it only lets a user read: such a page
 * cannot see the answer. Whatever changes something needs the token in a header, which no other site's page can send.
 */
function cookieToken({ method, headers }: ApiRequest): string | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  return /(?:^|;)\s*JWT=([^;\s]+)/.exec(headers.cookie ?? "")?.[1];
}

/**
 * Where nobody logs in, a web page that somebody on this machine looks at must not manage devices: its
 * requests name another origin, or a host of its own that it made resolve to this machine.
 */
export function refuseForeignPages({ headers }: Pick<ApiRequest, "headers">, hosts: "this-machine" | "any"): void {
  const { host = "", origin } = headers;
  const foreignHost = hosts === "this-machine" && !LOOPBACK_NAME.test(host);
  if (foreignHost || (origin !== undefined && !/^https?:\/\//.test(origin))) {
    throw new HttpError(403, `the server takes requests without a login for this machine only, not for ${host}`);
  }
  if (origin !== undefined && origin.replace(/^https?:\/\//, "") !== host) {
    throw new HttpError(403, `the server takes no requests of pages of ${origin} without a login`);
  }
}

/** Check tokens as the routes ask for it. */
export function authenticator(checks: TokenChecks, { insecureNoAuth }: { insecureNoAuth: boolean }): Authenticate {
  const ofDevice = async (request: ApiRequest, token: string): Promise<void> => {
    request.callingDevice = await checks.device(token);
  };
  const ofUser: Authenticate = async (request, route) => {
    if (insecureNoAuth) {
      refuseForeignPages(request, "this-machine");
      request.callingUser = ANYBODY;
      return;
    }
    const token = bearerToken(request) ?? cookieToken(request);
    if (token === undefined) throw unauthorized();
    request.callingUser = await checks.user(token);
    mustBeAllowed(request.callingUser.role, permissionOf(route));
  };
  return (request, route) => {
    const { access } = route;
    if (access === "public") return undefined;
    if (access === "user") return ofUser(request, route);
    const token = bearerToken(request);
    if (token === undefined) throw unauthorized();
    request.callingDevice = checks.deviceNow(token);
    return request.callingDevice === undefined ? ofDevice(request, token) : undefined;
  };
}
