import { DomainError } from "../errors.ts";

/** The roles of users: full access, read-only access, or uploading artifacts only (for build machines). */
export const USER_ROLES = ["admin", "read-only", "ci-upload"] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** The default role; the first user is an admin. */
export const DEFAULT_ROLE: UserRole = "read-only";

/** The names of these roles in the reference, whose other roles have no equivalent here. */
const REFERENCE_NAMES = {
  admin: "RBAC_ROLE_PERMIT_ALL",
  "read-only": "RBAC_ROLE_OBSERVER",
  "ci-upload": "RBAC_ROLE_CI",
} as const satisfies Record<UserRole, string>;

export function referenceNameOf(role: UserRole): string {
  return REFERENCE_NAMES[role];
}

/** The role with this name, ours or the reference's; `undefined` if there is none. */
export function roleNamed(name: string): UserRole | undefined {
  return USER_ROLES.find((role) => role === name || REFERENCE_NAMES[role] === name);
}

/** All names that {@link roleNamed} knows, for messages. */
export const ROLE_NAMES = USER_ROLES.map((role) => `${role} (${REFERENCE_NAMES[role]})`).join(", ");

/**
 * The permissions that requests to the management API need: `read` changes nothing, `upload` uploads an artifact, `self`
 * concerns only the user's own password, settings, tokens and session, `write` is for everything else.
 */
export const ALL_PERMISSIONS = ["read", "upload", "self", "write"] as const;
export type Permission = (typeof ALL_PERMISSIONS)[number];

const ALLOWED: Readonly<Record<UserRole, readonly Permission[]>> = {
  admin: ALL_PERMISSIONS,
  "read-only": ["read", "self"],
  "ci-upload": ["upload", "self"],
};

export function mayDo(role: UserRole, permission: Permission): boolean {
  return ALLOWED[role].includes(permission);
}

/** @throws DomainError (forbidden) */
export function mustBeAllowed(role: UserRole, permission: Permission): void {
  if (!mayDo(role, permission)) throw new DomainError("role-not-allowed", { role });
}
