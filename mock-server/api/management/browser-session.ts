import * as z from "zod";
import { type Domain, USER_ROLES, type UserPrincipal } from "../../domain.ts";
import { ALL_PERMISSIONS, mayDo } from "../../users/index.ts";
import { type Answer, empty, json } from "../answers.ts";
import type { LoginLimit } from "../login-limit.ts";
import { type Route, route } from "../route.ts";
import type { SessionCookie } from "../session-cookie.ts";
import { fields } from "../validation.ts";
import { logIn, SESSION } from "./log-in.ts";

const SessionShape = z.object({
  /** Absent on a server without logins. */
  user: z.object({ id: z.string(), email: z.string() }).optional(),
  role: z.enum(USER_ROLES),
  permissions: z.array(z.enum(ALL_PERMISSIONS)),
});

function present({ userId, email, role, sessionId }: UserPrincipal): z.infer<typeof SessionShape> {
  return {
    ...(sessionId === "" ? {} : { user: { id: userId, email } }),
    role,
    permissions: ALL_PERMISSIONS.filter((permission) => mayDo(role, permission)),
  };
}

/** The session of a browser: its token is in a cookie that no script can read. */
export function browserSessionRoutes({ users }: Domain, limit: LoginLimit, cookie: SessionCookie): Route[] {
  return [
    route({
      method: "POST",
      path: SESSION,
      summary: "Log in from a page of this server: the session is in a cookie",
      access: "public",
      body: { schema: fields({ email: z.string(), password: z.string() }), tooLarge: 413 },
      answers: {
        200: { description: "The session", schema: SessionShape },
        401: { description: "Address or password is wrong" },
        429: { description: "Too many tries with this address or from this place; Retry-After says how long to wait" },
      },
      handle: async ({ request, body, client, baseUrl }): Promise<Answer> => {
        const { token, cookie: knownClient } = await logIn({ users, limit }, body, { request, client });
        const issued = cookie.issue(token, users.sessionLifeMs, baseUrl);
        return json(present(await users.verify(token)), { "set-cookie": [issued, knownClient] });
      },
    }),
    route({
      method: "GET",
      path: SESSION,
      summary: "Show whose session it is, and what its user may do",
      access: "user",
      permission: "self",
      answers: { 200: { description: "The session", schema: SessionShape } },
      handle: ({ caller }) => json(present(caller)),
    }),
    route({
      method: "DELETE",
      path: SESSION,
      summary: "Log out: the session ends and the browser forgets its cookie",
      access: "user",
      permission: "self",
      answers: { 204: { description: "Logged out" } },
      handle: async ({ caller, baseUrl }) => {
        await users.logout(caller);
        return empty(204, { "set-cookie": cookie.remove(baseUrl) });
      },
    }),
  ];
}
