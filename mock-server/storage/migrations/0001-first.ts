import type { Kysely, Migration } from "kysely";

/** Everything that the first release keeps. */
export const first: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("sequences")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("secrets")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute();
    await createDevices(db);
    await createUsers(db);
    await createArtifacts(db);
    await createDeployments(db);
  },
};

async function createDevices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("devices")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("identity_sha256", "text", (column) => column.notNull().unique())
    .addColumn("identity_json", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addColumn("updated_ms", "bigint", (column) => column.notNull())
    .addColumn("check_in_ms", "bigint")
    .execute();
  await db.schema.createIndex("devices_by_status").on("devices").columns(["status", "id"]).execute();
  await db.schema
    .createTable("auth_sets")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("device_id", "text", (column) => column.notNull().references("devices.id").onDelete("cascade"))
    .addColumn("public_key", "text", (column) => column.notNull())
    .addColumn("public_key_sha256", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("token_generation", "bigint", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addUniqueConstraint("auth_sets_by_key", ["device_id", "public_key_sha256"])
    .execute();
  await db.schema
    .createTable("inventory_attributes")
    .addColumn("device_id", "text", (column) => column.notNull().references("devices.id").onDelete("cascade"))
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("value_json", "text", (column) => column.notNull())
    .addColumn("description", "text")
    .addColumn("updated_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("inventory_attributes_key", ["device_id", "scope", "name"])
    .execute();
}

async function createUsers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("users")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("email", "text", (column) => column.notNull().unique())
    .addColumn("password_hash", "text", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addColumn("updated_ms", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("sessions")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("user_id", "text", (column) => column.notNull().references("users.id").onDelete("cascade"))
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addColumn("expires_ms", "bigint")
    .execute();
  await db.schema.createIndex("sessions_by_user").on("sessions").columns(["user_id", "created_ms"]).execute();
}

async function createArtifacts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("artifacts")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("format_version", "integer", (column) => column.notNull())
    .addColumn("signed", "integer", (column) => column.notNull())
    .addColumn("size_bytes", "bigint", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("device_types_json", "text", (column) => column.notNull())
    .addColumn("depends_json", "text", (column) => column.notNull())
    .addColumn("provides_json", "text", (column) => column.notNull())
    .addColumn("clears_provides_json", "text", (column) => column.notNull())
    .addColumn("payloads_json", "text", (column) => column.notNull())
    .addColumn("modified_ms", "bigint", (column) => column.notNull())
    .addColumn("removed_ms", "bigint")
    .execute();
  await db.schema.createIndex("artifacts_by_name").on("artifacts").columns(["name", "id"]).execute();
  await db.schema
    .createTable("artifact_values")
    .addColumn("artifact_id", "text", (column) => column.notNull().references("artifacts.id").onDelete("cascade"))
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("artifact_values_key", ["artifact_id", "kind", "value"])
    .execute();
  await db.schema
    .createTable("artifact_combinations")
    .addColumn("artifact_name", "text", (column) => column.notNull())
    .addColumn("combination_sha256", "text", (column) => column.notNull())
    .addColumn("artifact_id", "text", (column) => column.notNull().references("artifacts.id").onDelete("cascade"))
    .addPrimaryKeyConstraint("artifact_combinations_key", ["artifact_name", "combination_sha256"])
    .execute();
  await db.schema
    .createIndex("artifact_combinations_by_artifact")
    .on("artifact_combinations")
    .column("artifact_id")
    .execute();
}

async function createDeployments(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("deployments")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("sequence", "bigint", (column) => column.notNull().unique())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("artifact_name", "text", (column) => column.notNull())
    .addColumn("force_installation", "integer", (column) => column.notNull())
    .addColumn("all_devices", "integer", (column) => column.notNull())
    .addColumn("target_count", "bigint", (column) => column.notNull())
    .addColumn("device_count", "bigint", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("total_size_bytes", "bigint", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addColumn("finished_ms", "bigint")
    .addColumn("active_sha256", "text", (column) => column.unique())
    .execute();
  await db.schema.createIndex("deployments_by_artifact").on("deployments").column("artifact_name").execute();
  await db.schema.createIndex("deployments_by_status").on("deployments").columns(["status", "sequence"]).execute();
  await db.schema
    .createTable("deployment_counters")
    .addColumn("deployment_id", "text", (column) => column.notNull().references("deployments.id").onDelete("cascade"))
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("count", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("deployment_counters_key", ["deployment_id", "status"])
    .execute();
  await db.schema
    .createTable("device_deployments")
    .addColumn("deployment_id", "text", (column) => column.notNull().references("deployments.id").onDelete("cascade"))
    // No reference to the device: what it did outlives it.
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("sequence", "bigint", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("substate", "text")
    .addColumn("created_ms", "bigint")
    .addColumn("started_ms", "bigint")
    .addColumn("finished_ms", "bigint")
    .addColumn("hidden_ms", "bigint")
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("artifact_id", "text", (column) => column.references("artifacts.id"))
    .addColumn("request_json", "text")
    .addPrimaryKeyConstraint("device_deployments_key", ["deployment_id", "device_id"])
    .execute();
  // The oldest that a device has not finished; then the last that it finished, and its history.
  await db.schema
    .createIndex("device_deployments_open")
    .on("device_deployments")
    .columns(["device_id", "finished_ms", "sequence"])
    .execute();
  await db.schema
    .createIndex("device_deployments_history")
    .on("device_deployments")
    .columns(["device_id", "sequence"])
    .execute();
  await db.schema
    .createIndex("device_deployments_by_status")
    .on("device_deployments")
    .columns(["deployment_id", "status", "device_id"])
    .execute();
  await db.schema
    .createTable("deployment_logs")
    .addColumn("deployment_id", "text", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("messages_json", "text", (column) => column.notNull())
    .addColumn("saved_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("deployment_logs_key", ["deployment_id", "device_id", "attempt"])
    .addForeignKeyConstraint(
      "deployment_logs_of",
      ["deployment_id", "device_id"],
      "device_deployments",
      ["deployment_id", "device_id"],
      (constraint) => constraint.onDelete("cascade"),
    )
    .execute();
}
