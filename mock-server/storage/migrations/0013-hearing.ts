import { type Kysely, type Migration, sql } from "kysely";

/**
 * A device that waits for its turn is not silent: it is heard of from when the instructions are handed out. And silence
 * counts only while a server could hear: each server that counts it tells when it could.
 */
export const hearing: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`update device_deployments set heard_ms = null where finished_ms is null and admitted = 0`.execute(db);
    await db.schema
      .createTable("hearing")
      .addColumn("server", "text", (column) => column.primaryKey())
      .addColumn("since_ms", "bigint", (column) => column.notNull())
      .addColumn("last_ms", "bigint", (column) => column.notNull())
      .execute();
  },
};
