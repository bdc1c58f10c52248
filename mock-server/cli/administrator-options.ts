import type { Logger } from "@upkeep/shared/logging";
import type { Files } from "@upkeep/shared/system";
import { domainRefusal } from "../api/domain-refusals.ts";
import type { Domain } from "../domain.ts";
import { DomainError } from "../errors.ts";
import { emailFault, passwordFault } from "../users/index.ts";
import { CommandError } from "./failure.ts";
import { passwordFromFile } from "./passwords.ts";

/** The e-mail address of the administrator that the first start makes. */
export const DEFAULT_ADMINISTRATOR = "admin@example.com";

/** The options for the first administrator. */
export interface AdministratorSettings {
  readonly email?: string;
  readonly passwordFile?: string;
}

interface FirstAdministrator {
  readonly email: string;
  /** Absent: generated. */
  readonly password?: string;
  readonly given: boolean;
}

/** A new administrator, as announced to the operator. */
export interface AnnouncedAdministrator {
  readonly email: string;
  /** Absent if the operator chose it. */
  readonly password?: string;
}

/** @throws CommandError */
export function administratorSettingsOf(email: unknown, passwordFile: unknown): AdministratorSettings {
  const fault = typeof email === "string" ? emailFault(email) : undefined;
  if (fault !== undefined) throw new CommandError(`--admin-${fault}`);
  return {
    ...(typeof email === "string" ? { email: email.toLowerCase() } : {}),
    ...(typeof passwordFile === "string" ? { passwordFile } : {}),
  };
}

/** Reads the password file, before the server writes anything. @throws CommandError */
export async function firstAdministrator(
  files: Files,
  { email, passwordFile }: AdministratorSettings,
): Promise<FirstAdministrator> {
  const given = email !== undefined || passwordFile !== undefined;
  const address = email ?? DEFAULT_ADMINISTRATOR;
  if (passwordFile === undefined) return { email: address, given };
  const password = await passwordFromFile(files, "admin-password-file", passwordFile);
  const fault = passwordFault(password);
  if (fault !== undefined) throw new CommandError(`--admin-password-file ${passwordFile}: ${fault}`);
  return { email: address, password, given };
}

/**
 * Makes the first user if there is none.
 * @throws CommandError
 */
export async function ensureAdministrator(
  { users }: Pick<Domain, "users">,
  { email, password, given }: FirstAdministrator,
  logger: Logger,
): Promise<AnnouncedAdministrator | undefined> {
  try {
    const made = await users.ensureAdministrator(email, password);
    if (made === undefined && given) {
      logger.warning(
        "--admin-email and --admin-password-file are for the first start only: there are users; see `upkeep-server user`",
      );
    }
    return made === undefined || password === undefined ? made : { email: made.email };
  } catch (error) {
    throw error instanceof DomainError
      ? new CommandError(`the first administrator: ${domainRefusal(error).message}`)
      : error;
  }
}
