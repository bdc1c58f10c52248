import type { Migration, MigrationProvider } from "kysely";
import { first } from "./0001-first.ts";

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-first": first,
};

/** Every change of the tables, by number. One that was released is never edited; a new one is added. */
export const migrations: MigrationProvider = {
  getMigrations: async () => ({ ...MIGRATIONS }),
};
