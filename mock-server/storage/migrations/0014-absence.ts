import type { Kysely, Migration } from "kysely";

/** Since when every target of a deployment could have its instructions: a device that never asks has failed in the end. */
export const absence: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("deployments").addColumn("open_to_all_ms", "bigint").execute();
  },
};
