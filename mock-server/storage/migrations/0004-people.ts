import type { Kysely, Migration } from "kysely";

/** Roles, personal access tokens and settings of users; limits. */
export const people: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // One column a statement: SQLite adds no more.
    await db.schema
      .alterTable("users")
      .addColumn("role", "text", (column) => column.notNull().defaultTo("admin"))
      .execute();
    await db.schema.alterTable("sessions").addColumn("token_name", "text").execute();
    await db.schema.alterTable("sessions").addColumn("last_used_ms", "bigint").execute();
    await db.schema
      .createTable("settings")
      .addColumn("owner", "text", (column) => column.primaryKey())
      .addColumn("value_json", "text", (column) => column.notNull())
      .addColumn("etag", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("limits")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "bigint", (column) => column.notNull())
      .execute();
  },
};
