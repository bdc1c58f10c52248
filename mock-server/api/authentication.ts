import type { DevicePrincipal } from "../devices/index.ts";
import { unauthorized } from "../errors.ts";
import { mustBeAllowed, type UserPrincipal } from "../users/index.ts";
import { clientSideOf } from "./client-side.ts";
import { HttpError } from "./errors.ts";
import type { ServerOptions } from "./options.ts";
import { type ApiRequest, permissionOf, type Route } from "./route.ts";
import { mustBeOwnPage, type SessionCookie } from "./session-cookie.ts";

/** Resolves if `request` may be answered. @throws DomainError: 401, or 403 where a role does not allow it. */
export type Authenticate = (
  request: ApiRequest,
  route: Pick<Route, "access" | "method" | "permission">,
) => Promise<void>;

/** The owners of tokens. @throws DomainError (unauthorized) */
export interface TokenChecks {
  readonly device: (token: string) => Promise<DevicePrincipal>;
  readonly user: (token: string) => Promise<UserPrincipal>;
}

/** The user of every request of a server without logins. */
const ANYBODY: UserPrincipal = { userId: "anybody", email: "", role: "admin", sessionId: "" };
const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

export function bearerToken(request: Pick<ApiRequest, "headers">): string | undefined {
  return /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? "")?.[1];
}

/**
 * The reference's cookie, which scripts of its pages set. Browsers send it with requests of other sites' pages too, so it
 * only permits reads: such a page cannot see the answer.
 */
function referenceCookie({ method, headers }: ApiRequest): string | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  return /(?:^|;)\s*JWT=([^;\s]+)/.exec(headers.cookie ?? "")?.[1];
}

/**
 * Cross-site request forgery and DNS rebinding: without logins, a foreign web page in a browser on this machine must not
 * manage devices. Its requests name another origin, or a host of its own that resolves to this machine.
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

type Options = Pick<ServerOptions, "insecureNoAuth" | "publicUrl" | "isProxy">;

/** Checks tokens as the routes ask for it. */
export function authenticator(checks: TokenChecks, session: SessionCookie, options: Options): Authenticate {
  /** @throws HttpError (403) if the token came in a cookie and the request from another site's page. */
  const userToken = (request: ApiRequest): string | undefined => {
    const bearer = bearerToken(request);
    if (bearer !== undefined) return bearer;
    const token = session.read(request);
    if (token === undefined) return referenceCookie(request);
    mustBeOwnPage(request, options.publicUrl ?? clientSideOf(request, options.isProxy).baseUrl);
    return token;
  };
  const userOf: Authenticate = async (request, route) => {
    if (options.insecureNoAuth) {
      refuseForeignPages(request, "this-machine");
      request.callingUser = ANYBODY;
      return;
    }
    const token = userToken(request);
    if (token === undefined) throw unauthorized();
    request.callingUser = await checks.user(token);
    mustBeAllowed(request.callingUser.role, permissionOf(route));
  };
  return async (request, route) => {
    if (route.access === "public") return;
    if (route.access === "user") return await userOf(request, route);
    const token = bearerToken(request);
    if (token === undefined) throw unauthorized();
    request.callingDevice = await checks.device(token);
  };
}
