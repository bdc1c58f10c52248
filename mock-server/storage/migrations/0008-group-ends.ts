import type { Kysely, Migration } from "kysely";

/** Large groups end at once, and their members leave after that, in many transactions. */
export const groupEnds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("group_ends")
      .addColumn("name", "text", (column) => column.primaryKey())
      .execute();
  },
};
