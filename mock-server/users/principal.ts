import type { UserRole } from "./roles.ts";

/** The authenticated user of a request to the management API. */
export interface UserPrincipal {
  readonly userId: string;
  readonly email: string;
  readonly role: UserRole;
  readonly sessionId: string;
}
