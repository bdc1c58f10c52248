export type { AccessToken, AccessTokens } from "./access-tokens.ts";
export type { Account, AccountChange, Accounts } from "./accounts.ts";
export type { UserPrincipal } from "./principal.ts";
export { mayDo, mustBeAllowed, type Permission, USER_ROLES, type UserRole } from "./roles.ts";
export type { KeptSettings, Settings } from "./settings.ts";
export { type NewAdministrator, Users } from "./users.ts";
