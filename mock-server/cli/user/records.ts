import type { System } from "@upkeep/shared/system";
import { mustFit, readClaim } from "../../storage/index.ts";
import { keptSecret } from "../../storage/kept-secret.ts";
import { PASSWORD_WORK, Users } from "../../users/index.ts";
import { openSource } from "../move/source.ts";

/** Users as the command line manages them. */
export interface OpenUsers {
  readonly users: Users;
  close(): Promise<void>;
}

/**
 * The users of a data directory or a database, also while a server uses it: it looks every request's user up in the
 * records.
 * @throws CommandError if there are no records, or the directory's records are elsewhere.
 */
export async function openUsers(
  system: Pick<System, "files" | "clock" | "random">,
  directory: string,
  database: string | undefined,
): Promise<OpenUsers> {
  if (database === undefined) mustFit(await readClaim(system.files, directory), "sqlite", directory);
  const storage = await openSource(system.files, directory, database);
  try {
    const settings = { tokenLifeMs: 0, passwordWork: PASSWORD_WORK };
    const users = new Users(storage, system, await keptSecret(storage, system.random, "user-tokens"), settings);
    return { users, close: () => storage.close() };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
