import type { Kysely, Migration } from "kysely";

/** The last contact of a device of any kind; a token is fetched once a week. */
export const contacts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("devices").addColumn("contact_ms", "bigint").execute();
  },
};
