import type { Ctl } from "../context.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { passwordFor } from "../password.ts";
import { findUser, type User } from "../users.ts";

const USER = "/api/management/v1/useradm/users/{id}";

/** Gives a user another role. */
export async function usersRole(
  { user, role }: { readonly user: string; readonly role: User["role"] },
  ctl: Ctl,
): Promise<undefined> {
  const api = await ctl.api();
  const { id, email } = await findUser(api, user);
  await api.call("put", USER, { params: { id }, body: { role } });
  ctl.say(`User ${email} has role ${role}.`);
}

interface PasswordOptions {
  readonly user: string;
  readonly passwordFile?: string;
  readonly revokeTokens?: boolean;
}

/** Sets a user's password. */
export async function usersPassword(
  { user, passwordFile, revokeTokens }: PasswordOptions,
  ctl: Ctl,
): Promise<undefined> {
  const api = await ctl.api();
  const { id, email } = await findUser(api, user);
  const password = await passwordFor(ctl, { file: passwordFile, question: `New password for ${email}: ` });
  const body = { password, ...(revokeTokens === true ? { revoke_tokens: true } : {}) };
  const { warning } = await api.call("put", USER, { params: { id }, body });
  ctl.say(`User ${email} has a new password.${warning === undefined ? "" : ` Warning: ${warning}`}`);
}

/** Removes a user. */
export async function usersRemove(
  { user, yes }: { readonly user: string; readonly yes?: boolean },
  ctl: Ctl,
): Promise<ExitCode> {
  const api = await ctl.api();
  const { id, email } = await findUser(api, user);
  if (!(await ctl.confirmed(`Remove user ${email} with all sessions and tokens?`, yes))) return EXIT.error;
  await api.call("delete", USER, { params: { id } });
  ctl.say(`User ${email} is removed.`);
  return EXIT.ok;
}
