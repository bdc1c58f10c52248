export type { AccessToken, AccessTokens } from "./access-tokens.ts";
export type { Account, AccountChange, AccountFilter, Accounts } from "./accounts.ts";
export { emailFault, passwordFault } from "./checks.ts";
export type { KeptSettings, Settings } from "./kept-settings.ts";
export { PASSWORD_WORK } from "./password-hash.ts";
export type { UserPrincipal } from "./principal.ts";
export {
  ALL_PERMISSIONS,
  DEFAULT_ROLE,
  mayDo,
  mustBeAllowed,
  type Permission,
  ROLE_NAMES,
  referenceNameOf,
  roleNamed,
  USER_ROLES,
  type UserRole,
} from "./roles.ts";
export { type NewAdministrator, Users } from "./users.ts";
