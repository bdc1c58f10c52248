import type { Users } from "../../users/index.ts";
import type { ClientSide } from "../client-side.ts";
import type { LoginLimit } from "../login-limit.ts";
import type { ApiRequest } from "../route.ts";

const AUTH = "/api/management/v1/useradm/auth";
export const LOGIN = `${AUTH}/login`;
/** The session of a browser. */
export const SESSION = `${AUTH}/session`;

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Cookie with the proof that this client has logged in before. */
const KNOWN_CLIENT = "upkeep-known-client";

/**
 * Checks a password, within the limit of attempts.
 * @param from The request that brings it.
 * @returns The token of a new session, and the value of `Set-Cookie` that marks the client as known.
 * @throws DomainError (unauthorized); HttpError (429)
 */
export async function logIn(
  { users, limit }: { readonly users: Users; readonly limit: LoginLimit },
  { email, password, noExpiry = false }: Credentials & { readonly noExpiry?: boolean },
  { request, client }: { readonly request: ApiRequest; readonly client: ClientSide },
): Promise<{ readonly token: string; readonly cookie: string }> {
  const known = knownClient(users, request, email);
  const passwordVersion = await users.passwordVersion(email);
  const attempt = limit.begin({ account: email, passwordVersion, address: client.address, client: known });
  try {
    const token = await users.login(email, password, { noExpiry });
    attempt.succeeded();
    return { token, cookie: knownClientCookie(users, email, known, client.baseUrl) };
  } finally {
    attempt.ended();
  }
}

/** @returns The client, if it proves that it has logged in to this account before. */
function knownClient({ knownClients }: Users, { headers }: ApiRequest, email: string): string | undefined {
  const proof = new RegExp(`(?:^|;)\\s*${KNOWN_CLIENT}=([^;\\s]+)`).exec(headers.cookie ?? "")?.[1];
  return proof === undefined ? undefined : knownClients.find(proof, email);
}

function knownClientCookie(
  { knownClients }: Users,
  email: string,
  client: string | undefined,
  baseUrl: string,
): string {
  const { protocol, pathname } = new URL(baseUrl + AUTH);
  const attributes = ["HttpOnly", "SameSite=Strict", `Path=${pathname}`, `Max-Age=${knownClients.lifeS}`];
  if (protocol === "https:") attributes.push("Secure");
  return `${KNOWN_CLIENT}=${knownClients.issue(email, client)}; ${attributes.join("; ")}`;
}
