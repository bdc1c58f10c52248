import { DomainError } from "../errors.ts";

/** What a user may do: everything, look at everything, or only bring artifacts (for build machines). */
export const USER_ROLES = ["admin", "read-only", "ci-upload"] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** Of a user for whom no role is named, unless it is the first. */
export const DEFAULT_ROLE: UserRole = "read-only";

/** What the reference calls the same. It has others, of which none means what one of ours does. */
const REFERENCE_NAMES = {
  admin: "RBAC_ROLE_PERMIT_ALL",
  "read-only": "RBAC_ROLE_OBSERVER",
  "ci-upload": "RBAC_ROLE_CI",
} as const satisfies Record<UserRole, string>;

export function referenceNameOf(role: UserRole): string {
  return REFERENCE_NAMES[role];
}

/** The role of this name, ours or the reference's; `undefined`: there is none. */
export function roleNamed(name: string): UserRole | undefined {
  return USER_ROLES.find((role) => role === name || REFERENCE_NAMES[role] === name);
}

/** All names that {@link roleNamed} knows, for messages. */
export const ROLE_NAMES = USER_ROLES.map((role) => `${role} (${REFERENCE_NAMES[role]})`).join(", ");

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

/** @throws DomainError (forbidden) */
export function mustBeAllowed(role: UserRole, permission: Permission): void {
  if (!mayDo(role, permission)) throw new DomainError("role-not-allowed", { role });
}
