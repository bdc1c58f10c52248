import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { AccessToken, Domain } from "../../domain.ts";
import { invalid, unauthorized } from "../../errors.ts";
import { empty, json, text } from "../answers.ts";
import type { LoginLimit } from "../login-limit.ts";
import { type Route, route } from "../route.ts";
import { fields, ignored } from "../validation.ts";
import { type Credentials, LOGIN, logIn } from "./log-in.ts";
import { timestamp } from "./times.ts";

const BASE = "/api/management/v1/useradm";
const TOKEN = "application/jwt";

/** HTTP Basic. @throws DomainError (unauthorized) */
function credentialsOf(header: string | undefined): Credentials {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})\s*$/i.exec(header ?? "")?.[1];
  const decoded = Buffer.from(encoded ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) throw unauthorized("invalid or missing auth header");
  return { email: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function logins({ users }: Domain, limit: LoginLimit): Route[] {
  return [
    route({
      method: "POST",
      path: LOGIN,
      summary: "Log in with e-mail and password (HTTP Basic)",
      access: "public",
      body: {
        schema: fields({ no_expiry: optional(z.boolean()), token2fa: ignored("no user has a second factor") }),
        tooLarge: 413,
        absent: {},
      },
      answers: {
        200: {
          description:
            "A token. The cookie that is set proves at the next login that this client has logged in before: guessers " +
            "cannot keep it waiting",
          mediaType: TOKEN,
        },
        401: { description: "Address or password is wrong" },
        429: { description: "Too many tries with this address or from this place; Retry-After says how long to wait" },
      },
      handle: async ({ request, body, client }) => {
        const credentials = { ...credentialsOf(request.headers.authorization), noExpiry: body.no_expiry ?? false };
        const { token, cookie } = await logIn({ users, limit }, credentials, { request, client });
        return text(token, TOKEN, { "set-cookie": cookie });
      },
    }),
    route({
      method: "POST",
      path: `${BASE}/auth/logout`,
      summary: "Log out: the token is worthless from now on",
      access: "user",
      permission: "self",
      answers: { 202: { description: "Logged out" } },
      handle: async ({ caller }) => {
        await users.logout(caller);
        return empty(202);
      },
    }),
  ];
}

const TokenShape = z.object({
  id: z.string(),
  name: z.string(),
  last_used: z.string().optional(),
  expiration_date: z.string().optional(),
  created_ts: z.string(),
});

function present({ id, name, createdMs, expiresMs, lastUsedMs }: AccessToken): z.infer<typeof TokenShape> {
  return {
    id,
    name,
    ...(lastUsedMs === undefined ? {} : { last_used: timestamp(lastUsedMs) }),
    ...(expiresMs === undefined ? {} : { expiration_date: timestamp(expiresMs) }),
    created_ts: timestamp(createdMs),
  };
}

function accessTokens({ users: { tokens } }: Domain): Route[] {
  const path = `${BASE}/settings/tokens`;
  return [
    route({
      method: "GET",
      path,
      summary: "List one's personal access tokens",
      access: "user",
      permission: "self",
      answers: { 200: { description: "Tokens, without the secret", schema: z.array(TokenShape) } },
      handle: async ({ caller }) => json((await tokens.list(caller.userId)).map(present)),
    }),
    route({
      method: "POST",
      path,
      summary: "Make a personal access token",
      access: "user",
      permission: "self",
      body: { schema: fields({ name: z.string(), expires_in: optional(z.number()) }), tooLarge: 413 },
      answers: {
        200: { description: "The token, which is told only now", mediaType: TOKEN },
        409: { description: "There is one of that name" },
        422: { description: "There are too many" },
      },
      handle: async ({ caller, body }) => {
        if (caller.sessionId === "") throw invalid("a server without logins has no user to issue a token for");
        return text(await tokens.create(caller.userId, body.name, body.expires_in ?? 0), TOKEN);
      },
    }),
    route({
      method: "DELETE",
      path: `${path}/:id`,
      summary: "Make one of one's personal access tokens worthless",
      access: "user",
      permission: "self",
      params: z.object({ id: z.string() }),
      answers: { 204: { description: "There is no such token any more" } },
      handle: async ({ caller, params }) => {
        await tokens.delete(caller.userId, params.id);
        return empty(204);
      },
    }),
  ];
}

/** Login, logout and personal access tokens. */
export function sessionRoutes(domain: Domain, limit: LoginLimit): Route[] {
  return [...logins(domain, limit), ...accessTokens(domain)];
}
