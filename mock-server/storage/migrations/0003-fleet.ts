import { type Kysely, type Migration, sql } from "kysely";

/** Groups, tags, saved filters, deployments to them, configurations; notes and tags of releases. */
export const fleet: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await extendDeployments(db);
    await extendDevices(db);
    await createReleaseWords(db);
  },
};

async function extendDeployments(db: Kysely<unknown>): Promise<void> {
  // One column a statement: SQLite adds no more.
  const table = () => db.schema.alterTable("deployments");
  await table()
    .addColumn("kind", "text", (column) => column.notNull().defaultTo("software"))
    .execute();
  await table()
    .addColumn("dynamic", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await table().addColumn("max_devices", "bigint").execute();
  await table()
    .addColumn("initial_device_count", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await table().addColumn("group_name", "text").execute();
  await table().addColumn("filter_json", "text").execute();
  await table().addColumn("update_control_map_json", "text").execute();
  await table().addColumn("configuration_json", "text").execute();
  await sql`update deployments set initial_device_count = target_count`.execute(db);
  await db.schema
    .createIndex("deployments_open_dynamic")
    .on("deployments")
    .columns(["dynamic", "status", "sequence"])
    .execute();
}

async function extendDevices(db: Kysely<unknown>): Promise<void> {
  const table = () => db.schema.alterTable("devices");
  await table().addColumn("group_name", "text").execute();
  await table().addColumn("tags_etag", "text").execute();
  await db.schema.createIndex("devices_by_group").on("devices").columns(["group_name", "id"]).execute();
  await db.schema
    .createTable("saved_filters")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("terms_json", "text", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("device_configurations")
    .addColumn("device_id", "text", (column) => column.primaryKey().references("devices.id").onDelete("cascade"))
    .addColumn("configured_json", "text", (column) => column.notNull())
    .addColumn("reported_json", "text", (column) => column.notNull())
    .addColumn("deployment_id", "text")
    .addColumn("updated_ms", "bigint", (column) => column.notNull())
    .addColumn("reported_ms", "bigint")
    .execute();
}

async function createReleaseWords(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("release_notes")
    .addColumn("release_name", "text", (column) => column.primaryKey())
    .addColumn("notes", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("release_tags")
    .addColumn("release_name", "text", (column) => column.notNull())
    .addColumn("tag", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("release_tags_key", ["release_name", "tag"])
    .execute();
  await db.schema.createIndex("release_tags_by_tag").on("release_tags").columns(["tag", "release_name"]).execute();
}
