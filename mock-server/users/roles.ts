import { forbidden } from "../errors.ts";

/** What a user may do: everything, look at everything, or only bring artifacts (for build machines). */
export const USER_ROLES = ["admin", "read-only", "ci-upload"] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** What a request of the management API needs of whoever sends it. */
export type Permission =
  /** It changes nothing. */
  | "read"
  /** It brings an artifact. */
  | "upload"
  /** It concerns nobody but the user: the own password, settings, tokens, logging out. */
  | "self"
  | "write";

const ALLOWED: Readonly<Record<UserRole, readonly Permission[]>> = {
  admin: ["read", "upload", "self", "write"],
  "read-only": ["read", "self"],
  "ci-upload": ["upload", "self"],
};

export function mayDo(role: UserRole, permission: Permission): boolean {
  return ALLOWED[role].includes(permission);
}

/** @throws ServerError (forbidden) */
export function mustBeAllowed(role: UserRole, permission: Permission): void {
  if (!mayDo(role, permission)) throw forbidden(`the role ${role} does not allow this`);
}
