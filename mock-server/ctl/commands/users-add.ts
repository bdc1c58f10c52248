import type { Ctl } from "../context.ts";
import { passwordFor } from "../password.ts";
import type { User } from "../users.ts";

interface AddOptions {
  readonly email: string;
  readonly role?: User["role"];
  readonly passwordFile?: string;
}

/** Makes a user. */
export async function usersAdd({ email, role = "read-only", passwordFile }: AddOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const password = await passwordFor(ctl, { file: passwordFile, question: `Password for ${email}: ` });
  const { made } = await api.call("post", "/api/management/v1/useradm/users", { body: { email, password, role } });
  if (ctl.json) ctl.printJson({ id: made, email, role });
  else ctl.say(`User ${email} is made, with role ${role}.`);
}
