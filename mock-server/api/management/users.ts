import * as z from "zod";
import { type Account, type Domain, mustBeAllowed, USER_ROLES, type UserPrincipal } from "../../domain.ts";
import { created, empty, json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { given } from "./filters.ts";
import { timestamp } from "./times.ts";

const USERS = "/api/management/v1/useradm/users";

const Role = z.enum(USER_ROLES);
const UserId = z.object({ id: z.string() });
const NOT_FOUND = { description: "There is no such user" };

const UserShape = z.object({
  id: z.string(),
  email: z.string(),
  role: Role,
  created_ts: z.string(),
  updated_ts: z.string(),
});

function present({ id, email, role, createdMs, updatedMs }: Account): z.infer<typeof UserShape> {
  return { id, email, role, created_ts: timestamp(createdMs), updated_ts: timestamp(updatedMs) };
}

/** `me` is whoever asks. */
function idOf(caller: UserPrincipal, id: string): string {
  return id === "me" ? caller.userId : id;
}

/** What concerns others needs more than what concerns oneself. */
function checkOthers(caller: UserPrincipal, id: string, permission: "read" | "write"): void {
  if (id !== caller.userId) mustBeAllowed(caller.role, permission);
}

/** People who manage devices. */
export function userRoutes({ users: { accounts } }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: USERS,
      summary: "List users",
      access: "user",
      answers: { 200: { description: "Users", schema: z.array(UserShape) } },
      handle: async () => json((await accounts.list()).map(present)),
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
      summary: "Make a user",
      access: "user",
      body: {
        schema: z.object({ email: z.string(), password: z.string(), role: z.exactOptional(Role) }),
        tooLarge: 413,
      },
      answers: {
        201: { description: "Made; Location names it" },
        422: { description: "The address is taken or malformed, or the password is too weak" },
      },
      handle: async ({ body }) => created(`${USERS}/${await accounts.create(body)}`),
    }),
    route({
      method: "PUT",
      path: `${USERS}/:id`,
      summary: "Change a user; me: oneself. The password: only oneself, telling the old one",
      access: "user",
      permission: "self",
      params: UserId,
      body: {
        schema: z.object({
          email: z.string().optional(),
          password: z.string().optional(),
          current_password: z.string().optional(),
          role: Role.optional(),
        }),
        tooLarge: 413,
      },
      answers: {
        204: { description: "Changed" },
        404: NOT_FOUND,
        422: { description: "The address is taken or malformed, or a password is wrong or too weak" },
      },
      handle: async ({ caller, params, body }) => {
        const { email, password, current_password, role } = body;
        const id = idOf(caller, params.id);
        checkOthers(caller, id, "write");
        if (role !== undefined) mustBeAllowed(caller.role, "write");
        await accounts.update(caller, id, given({ email, password, currentPassword: current_password, role }));
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${USERS}/:id`,
      summary: "Remove a user with all sessions and tokens",
      access: "user",
      params: UserId,
      answers: { 204: { description: "There is no such user any more" }, 422: { description: "It is the last admin" } },
      handle: async ({ params }) => {
        await accounts.delete(params.id);
        return empty(204);
      },
    }),
  ];
}
