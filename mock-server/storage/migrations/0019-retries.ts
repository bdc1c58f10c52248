import type { Kysely, Migration } from "kysely";

/** A deployment to the devices that failed another one names that. */
export const retries: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("deployments").addColumn("retry_of", "text").execute();
  },
};
