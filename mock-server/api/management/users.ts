import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { unauthorized } from "../../errors.ts";
import { empty, text } from "../answers.ts";
import { type Route, route } from "../route.ts";

const BASE = "/api/management/v1/useradm";

interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** HTTP Basic. @throws ServerError (unauthorized) */
function credentialsOf(header: string | undefined): Credentials {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})\s*$/i.exec(header ?? "")?.[1];
  const decoded = Buffer.from(encoded ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) throw unauthorized("invalid or missing auth header");
  return { email: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Logging in and out. */
export function userRoutes({ users }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: `${BASE}/auth/login`,
      summary: "Log in with e-mail and password (HTTP Basic)",
      access: "public",
      body: { schema: z.object({ no_expiry: z.boolean().optional() }), tooLarge: 413, absent: {} },
      answers: {
        200: { description: "A token", mediaType: "application/jwt" },
        401: { description: "Address or password is wrong" },
      },
      handle: async ({ request, body }) => {
        const { email, password } = credentialsOf(request.headers.authorization);
        return text(await users.login(email, password, { noExpiry: body.no_expiry ?? false }), "application/jwt");
      },
    }),
    route({
      method: "POST",
      path: `${BASE}/auth/logout`,
      summary: "Log out: the token is worthless from now on",
      access: "user",
      answers: { 202: { description: "Logged out" } },
      handle: async ({ caller }) => {
        await users.logout(caller);
        return empty(202);
      },
    }),
  ];
}
