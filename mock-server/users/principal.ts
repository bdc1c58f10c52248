import type { UserRole } from "./roles.ts";

/** Who sent a request to the management API. */
export interface UserPrincipal {
  readonly userId: string;
  readonly email: string;
  readonly role: UserRole;
  readonly sessionId: string;
}
