import { sha256 } from "../digest.ts";
import { HttpError } from "./errors.ts";
import type { ApiRequest } from "./route.ts";

const HOST_BOUND = "__Host-";

/**
 * The cookie with the token of a browser's session. Scripts of the page cannot read it, and browsers do not send it with
 * requests of other sites' pages.
 */
export class SessionCookie {
  readonly #name: string;

  /** @param secret The server's own: cookies ignore ports, so each server on a machine has a name of its own. */
  constructor(secret: Uint8Array) {
    this.#name = `upkeep-session-${sha256(`session cookie ${Buffer.from(secret).toString("hex")}`).slice(0, 8)}`;
  }

  /** @returns `undefined` if the request has no session cookie. */
  read({ headers }: Pick<ApiRequest, "headers">): string | undefined {
    return new RegExp(`(?:^|;)\\s*(?:${HOST_BOUND})?${this.#name}=([^;\\s]+)`).exec(headers.cookie ?? "")?.[1];
  }

  /** @returns The value of `Set-Cookie`. */
  issue(token: string, lifeMs: number, baseUrl: string): string {
    return this.#setCookie(token, Math.floor(lifeMs / 1000), baseUrl);
  }

  /** @returns The value of `Set-Cookie` that makes a browser forget the cookie. */
  remove(baseUrl: string): string {
    return this.#setCookie("", 0, baseUrl);
  }

  #setCookie(value: string, lifeS: number, baseUrl: string): string {
    const isEncrypted = baseUrl.startsWith("https:");
    const attributes = [
      "HttpOnly",
      "SameSite=Strict",
      "Path=/",
      `Max-Age=${lifeS}`,
      ...(isEncrypted ? ["Secure"] : []),
    ];
    return [`${isEncrypted ? HOST_BOUND : ""}${this.#name}=${value}`, ...attributes].join("; ");
  }
}

/**
 * Cross-site request forgery: a request that changes something and carries a cookie must come from a page of this server.
 * Browsers name the page's origin; a program that sends neither header sends its token in `Authorization`.
 * @throws HttpError (403)
 */
export function mustBeOwnPage({ method, headers }: Pick<ApiRequest, "method" | "headers">, baseUrl: string): void {
  if (method === "GET" || method === "HEAD") return;
  const { origin } = headers;
  if (origin === undefined ? headers["sec-fetch-site"] === "same-origin" : origin === new URL(baseUrl).origin) return;
  throw new HttpError(
    403,
    `with a session cookie only pages of this server may change something, not ${origin ?? "others"}`,
  );
}
