import type { Kysely, Migration } from "kysely";

/** Deployments to many devices end at once, and their device deployments after them, in many transactions. */
export const ending: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("deployments").addColumn("ending", "text").execute();
  },
};
