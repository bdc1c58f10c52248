export { type NewAdministrator, type UserPrincipal, Users } from "./users.ts";
