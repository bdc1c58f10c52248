import type { Kysely, Migration } from "kysely";

/** Indexes of artifacts for adaptive downloads, and what downloads of devices cost. */
export const adaptive: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("artifact_indexes")
      .addColumn("artifact_id", "text", (column) => column.primaryKey().references("artifacts.id").onDelete("cascade"))
      .addColumn("index_blob", "text")
      .addColumn("index_bytes", "bigint")
      .addColumn("index_sha256", "text")
      .addColumn("chunks_blob", "text")
      .addColumn("chunks_bytes", "bigint")
      .addColumn("fault", "text")
      .execute();
    await db.schema
      .createTable("device_downloads")
      .addColumn("deployment_id", "text", (column) => column.notNull())
      .addColumn("device_id", "text", (column) => column.notNull())
      .addColumn("attempt", "integer", (column) => column.notNull())
      .addColumn("needed_bytes", "bigint", (column) => column.notNull())
      .addColumn("reused_bytes", "bigint", (column) => column.notNull())
      .addColumn("fetched_bytes", "bigint", (column) => column.notNull())
      .addColumn("plain_reason", "text")
      .addPrimaryKeyConstraint("device_downloads_key", ["deployment_id", "device_id", "attempt"])
      .addForeignKeyConstraint(
        "device_downloads_of",
        ["deployment_id", "device_id"],
        "device_deployments",
        ["deployment_id", "device_id"],
        (constraint) => constraint.onDelete("cascade"),
      )
      .execute();
  },
};
