import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import {
  type Account,
  type Domain,
  mustBeAllowed,
  referenceNameOf,
  USER_ROLES,
  type UserPrincipal,
} from "../../domain.ts";
import { created, empty, json, warning } from "../answers.ts";
import type { LoginLimit } from "../login-limit.ts";
import { type Route, route } from "../route.ts";
import { fields, ignored, many, onlyFalse } from "../validation.ts";
import { NO_ROLE_NAMED, namedRole } from "./roles.ts";
import { seconds, timestamp } from "./times.ts";

const USERS = "/api/management/v1/useradm/users";
const OWN_USER_V2 = "/api/management/v2/useradm/users/me";

const CHANGED =
  "Changed. A new password ends the user's other logins; X-Upkeep-Warning tells how many personal access tokens go on";
const TOO_MANY = "Too many wrong passwords in this session; Retry-After says how long to wait";

const Role = z.enum(USER_ROLES);
const UserId = z.object({ id: z.string() });
const NOT_FOUND = { description: "There is no such user" };

const UserShape = z.object({
  id: z.string(),
  email: z.string(),
  role: Role,
  /** The role by its name in the reference. */
  roles: z.array(z.string()),
  created_ts: z.string(),
  updated_ts: z.string(),
});

function present({ id, email, role, createdMs, updatedMs }: Account): z.infer<typeof UserShape> {
  const roles = [referenceNameOf(role)];
  return { id, email, role, roles, created_ts: timestamp(createdMs), updated_ts: timestamp(updatedMs) };
}

/** `me` names the caller. */
function idOf(caller: UserPrincipal, id: string): string {
  return id === "me" ? caller.userId : id;
}

/** Managing other users needs a permission; managing oneself does not. */
function checkOthers(caller: UserPrincipal, id: string, permission: "read" | "write"): void {
  if (id !== caller.userId) mustBeAllowed(caller.role, permission);
}

const SHOWN = "it is sent back as it was shown";
const rolesField = optional(z.array(z.string()).meta({ description: "One role, by our name or the reference's" }));

const NewUser = fields({
  email: z.string(),
  password: z.string(),
  role: optional(Role),
  roles: rolesField,
  send_reset_password: onlyFalse("this server sends no mail"),
});

const UserChange = fields({
  email: optional(z.string()),
  password: optional(z.string()),
  current_password: optional(z.string()),
  role: optional(Role),
  roles: rolesField,
  revoke_tokens: optional(z.boolean().meta({ description: "End all personal access tokens of the user" })),
  password_confirmation: ignored("the web interface compares it itself"),
  id: ignored(SHOWN),
  created_ts: ignored(SHOWN),
  updated_ts: ignored(SHOWN),
  login_ts: ignored(SHOWN),
});

/** Lists, shows and creates users. */
function listing({ users: { accounts } }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: USERS,
      summary: "List users, of all or of those that meet every condition",
      access: "user",
      query: z.object({
        id: many(z.string()),
        email: many(z.string()),
        created_after: seconds,
        created_before: seconds,
        updated_after: seconds,
        updated_before: seconds,
      }),
      answers: { 200: { description: "Users", schema: z.array(UserShape) } },
      handle: async ({ query: { id, email, created_after, created_before, updated_after, updated_before } }) => {
        const filter = given({
          ids: id.length === 0 ? undefined : id,
          emails: email.length === 0 ? undefined : email,
          createdAfterMs: created_after,
          createdBeforeMs: created_before,
          updatedAfterMs: updated_after,
          updatedBeforeMs: updated_before,
        });
        return json((await accounts.list(filter)).map(present));
      },
    }),
    route({
      method: "GET",
      path: `${USERS}/:id`,
      summary: "Show a user; me: oneself",
      access: "user",
      permission: "self",
      params: UserId,
      answers: { 200: { description: "The user", schema: UserShape }, 404: NOT_FOUND },
      handle: async ({ caller, params }) => {
        const id = idOf(caller, params.id);
        checkOthers(caller, id, "read");
        return json(present(await accounts.get(id)));
      },
    }),
    route({
      method: "POST",
      path: USERS,
      summary: "Make a user; without a role it is read-only",
      access: "user",
      body: { schema: NewUser, tooLarge: 413 },
      answers: {
        201: {
          description: "Made; Location names it. X-Upkeep-Warning tells that no role was named",
          headers: ["Location", "X-Upkeep-Warning"],
        },
        400: { description: "There is no such role, or nothing to be done with a field" },
        422: { description: "The address is taken or malformed, or the password is too weak" },
      },
      handle: async ({ body: { email, password, ...named } }) => {
        const role = namedRole(named);
        const id = await accounts.create({ email, password, ...given({ role }) });
        return created(`${USERS}/${id}`, role === undefined ? NO_ROLE_NAMED : undefined);
      },
    }),
  ];
}

function tokensLeft(count: number): string | undefined {
  if (count === 0) return undefined;
  return `${count} personal access tokens of the user go on working; revoke_tokens: true ends them`;
}

/** A thief of a token must not be able to guess the password, nor lock the owner out. */
async function limitedBySession<T>(
  limit: LoginLimit,
  { email, sessionId }: UserPrincipal,
  address: string,
  update: () => Promise<T>,
): Promise<T> {
  const attempt = limit.begin({ account: email, address, client: sessionId });
  try {
    const result = await update();
    attempt.succeeded();
    return result;
  } finally {
    attempt.ended();
  }
}

/** Changes and deletes users, and logs the caller. */
function changing({ users: { accounts } }: Domain, logger: Logger, limit: LoginLimit): Route[] {
  return [
    route({
      method: "PUT",
      path: `${USERS}/:id`,
      summary: "Change a user; me: oneself. The own password by telling the old one; an admin sets that of others",
      access: "user",
      permission: "self",
      params: UserId,
      body: { schema: UserChange, tooLarge: 413, example: { role: "ci-upload" } },
      answers: {
        204: { description: CHANGED, headers: ["X-Upkeep-Warning"] },
        400: { description: "There is no such role, or nothing to be done with a field" },
        404: NOT_FOUND,
        422: { description: "The address is taken or malformed, or a password is wrong or too weak" },
        429: { description: TOO_MANY },
      },
      handle: async ({ caller, params, body, client: { address } }) => {
        const { email, password, current_password, revoke_tokens, role, roles } = body;
        const id = idOf(caller, params.id);
        checkOthers(caller, id, "write");
        if (role !== undefined || (roles ?? []).length > 0) mustBeAllowed(caller.role, "write");
        const named = namedRole({ role, roles }, (await accounts.get(id)).role);
        const change = given({
          email,
          password,
          currentPassword: current_password,
          role: named,
          revokeTokens: revoke_tokens,
        });
        const update = () => accounts.update(caller, id, change);
        const tokens =
          current_password === undefined ? await update() : await limitedBySession(limit, caller, address, update);
        const what = Object.keys(change).filter((name) => name !== "currentPassword");
        logger.info(`user ${id} was changed by user ${caller.userId}: ${what.join(", ")}`, {
          user: id,
          by: caller.userId,
        });
        return empty(204, warning(password === undefined ? undefined : tokensLeft(tokens)));
      },
    }),
    route({
      method: "PUT",
      path: OWN_USER_V2,
      summary: "Change the own password by telling the old one",
      access: "user",
      permission: "self",
      body: { schema: fields({ password: z.string(), current_password: optional(z.string()) }), tooLarge: 413 },
      answers: {
        204: { description: CHANGED, headers: ["X-Upkeep-Warning"] },
        422: { description: "A password is wrong or too weak" },
        429: { description: TOO_MANY },
      },
      handle: async ({ caller, body: { password, current_password: currentPassword }, client: { address } }) => {
        const update = () => accounts.update(caller, caller.userId, { password, ...given({ currentPassword }) });
        const tokens =
          currentPassword === undefined ? await update() : await limitedBySession(limit, caller, address, update);
        logger.info(`user ${caller.userId} changed the own password`, { user: caller.userId });
        return empty(204, warning(tokensLeft(tokens)));
      },
    }),
    route({
      method: "DELETE",
      path: `${USERS}/:id`,
      summary: "Remove a user with all sessions and tokens",
      access: "user",
      params: UserId,
      answers: { 204: { description: "There is no such user any more" }, 422: { description: "It is the last admin" } },
      handle: async ({ caller, params }) => {
        await accounts.delete(params.id);
        logger.info(`user ${params.id} was removed by user ${caller.userId}`, { user: params.id, by: caller.userId });
        return empty(204);
      },
    }),
  ];
}

/** Users. */
export function userRoutes(domain: Domain, logger: Logger, limit: LoginLimit): Route[] {
  return [...listing(domain), ...changing(domain, logger, limit)];
}
