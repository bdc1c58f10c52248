import type { Listed } from "../api-types/operations.ts";
import type { Api } from "./api.ts";
import { CtlError } from "./failure.ts";

export type User = Listed<"/api/management/v1/useradm/users">;

export async function allUsers(api: Api): Promise<readonly User[]> {
  return (await api.call("get", "/api/management/v1/useradm/users")).data;
}

/** The user of this e-mail address or id. @throws CtlError if there is none */
export async function findUser(api: Api, word: string): Promise<User> {
  const user = (await allUsers(api)).find(({ id, email }) => id === word || email.toLowerCase() === word.toLowerCase());
  if (user === undefined) throw new CtlError(`there is no user ${JSON.stringify(word)}`);
  return user;
}

/** The role; of another server, its own names of roles. */
export function roleOf({ role, roles }: User): string {
  return role ?? (roles ?? []).join(", ");
}
