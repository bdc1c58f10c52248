import * as z from "zod";
import { DEFAULT_ROLE, ROLE_NAMES, referenceNameOf, roleNamed, USER_ROLES, type UserRole } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { json } from "../answers.ts";
import { pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";

/** A user's role as requests name it: ours, or a list with one of the reference's. */
export interface NamedRole {
  readonly role?: UserRole | undefined;
  readonly roles?: readonly string[] | null | undefined;
}

/**
 * The role that a request names; `undefined`: none.
 * @param current The role that the user has: to send that back along with another changes it to the other.
 * @throws DomainError (invalid) that names the role if there is no such, or if there are several.
 */
export function namedRole({ role, roles }: NamedRole, current?: UserRole): UserRole | undefined {
  const listed = roleOf(roles ?? []);
  if (role === undefined || listed === undefined || role === listed || role === current) return listed ?? role;
  if (listed === current) return role;
  throw invalid(`role: is ${role}, but roles says ${listed}`);
}

function roleOf(names: readonly string[]): UserRole | undefined {
  const roles = names.map((name, index) => {
    const role = roleNamed(name);
    if (role !== undefined) return role;
    throw invalid(`roles.${index}: there is no role ${JSON.stringify(name.slice(0, 80))}; there are ${ROLE_NAMES}`);
  });
  const [first, ...others] = new Set(roles);
  // Who may do everything may do what the others may.
  if (others.length > 0 && !roles.includes("admin")) {
    throw invalid(`roles: a user has one role, not ${names.map((name) => name.slice(0, 80)).join(" and ")}`);
  }
  return others.length > 0 ? "admin" : first;
}

/** The warning in the answer to a new user without a role. */
export const NO_ROLE_NAMED = `no role was named: the user is ${DEFAULT_ROLE} (${referenceNameOf(DEFAULT_ROLE)}) until it gets another`;

const DESCRIPTIONS: Readonly<Record<UserRole, string>> = {
  admin: "Here: admin. Does everything",
  "read-only": "Here: read-only. Looks at everything and changes nothing but what is its own",
  "ci-upload": "Here: ci-upload. Brings artifacts, and sees nothing",
};

/** In the reference's words. */
const PERMISSION_SETS: Readonly<Record<UserRole, readonly string[]>> = {
  admin: ["SuperUser"],
  "read-only": ["ReadDevices", "ReadReleases"],
  "ci-upload": ["UploadArtifacts"],
};

const RoleShape = z.object({
  name: z.string(),
  description: z.string(),
  permission_sets_with_scope: z.array(z.object({ name: z.string() })),
});

const ROLES: readonly z.infer<typeof RoleShape>[] = USER_ROLES.map((role) => ({
  name: referenceNameOf(role),
  description: DESCRIPTIONS[role],
  permission_sets_with_scope: PERMISSION_SETS[role].map((name) => ({ name })),
}));

/** The fixed list of roles. */
export function roleRoutes(): Route[] {
  return ["v1", "v2"].map((version) =>
    route({
      method: "GET",
      path: `/api/management/${version}/useradm/roles`,
      summary: "List the roles that a user can have",
      access: "user",
      query: z.object(pagingQuery()),
      answers: { 200: { description: "Roles; there are no others", schema: z.array(RoleShape) } },
      handle: ({ query: { page } }) => json(page === 1 ? ROLES : []),
    }),
  );
}
