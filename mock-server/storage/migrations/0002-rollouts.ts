import { type Kysely, type Migration, sql } from "kysely";

/** Phases, retries, thresholds, pauses and the limit of silence. */
export const rollouts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await extendDeployments(db);
    await extendDeviceDeployments(db);
    await createPhases(db);
    await createAttempts(db);
  },
};

async function extendDeployments(db: Kysely<unknown>): Promise<void> {
  // One column a statement: SQLite adds no more.
  const table = () => db.schema.alterTable("deployments");
  await table()
    .addColumn("retries", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await table()
    .addColumn("admitted_count", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await table().addColumn("silent_after_ms", "bigint").execute();
  await table().addColumn("paused_ms", "bigint").execute();
  await table().addColumn("pause_reason", "text").execute();
}

async function extendDeviceDeployments(db: Kysely<unknown>): Promise<void> {
  const table = () => db.schema.alterTable("device_deployments");
  await table().addColumn("instructed_ms", "bigint").execute();
  await table()
    .addColumn("admitted", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await table().addColumn("phase", "integer").execute();
  await table().addColumn("heard_ms", "bigint").execute();
  await sql`
    update device_deployments set admitted = 1, instructed_ms = coalesce(started_ms, created_ms)
    where request_json is not null or started_ms is not null`.execute(db);
  await sql`
    update deployments set admitted_count = (
      select count(*) from device_deployments
      where device_deployments.deployment_id = deployments.id and device_deployments.admitted = 1)`.execute(db);
}

async function createPhases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("deployment_phases")
    .addColumn("deployment_id", "text", (column) => column.notNull().references("deployments.id").onDelete("cascade"))
    .addColumn("number", "integer", (column) => column.notNull())
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("batch_percent", "integer", (column) => column.notNull())
    .addColumn("places", "bigint", (column) => column.notNull())
    .addColumn("start_ms", "bigint")
    .addColumn("success_percent", "integer")
    .addColumn("error_percent", "integer")
    .addColumn("device_count", "bigint", (column) => column.notNull())
    .addColumn("succeeded", "bigint", (column) => column.notNull())
    .addColumn("failed", "bigint", (column) => column.notNull())
    .addColumn("excluded", "bigint", (column) => column.notNull())
    .addColumn("tolerated", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("deployment_phases_key", ["deployment_id", "number"])
    .execute();
}

async function createAttempts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("device_deployment_attempts")
    .addColumn("deployment_id", "text", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("substate", "text")
    .addColumn("started_ms", "bigint")
    .addColumn("finished_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("device_deployment_attempts_key", ["deployment_id", "device_id", "attempt"])
    .addForeignKeyConstraint(
      "device_deployment_attempts_of",
      ["deployment_id", "device_id"],
      "device_deployments",
      ["deployment_id", "device_id"],
      (constraint) => constraint.onDelete("cascade"),
    )
    .execute();
}
