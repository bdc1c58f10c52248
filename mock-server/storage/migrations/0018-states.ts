import { type Kysely, type Migration, sql } from "kysely";
import { isPostgres } from "./triggers.ts";

/** Each change of the status of a device deployment, with its time. What ended before has its last change only. */
export const states: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable("device_deployments")
      .addColumn("state_count", "integer", (column) => column.notNull().defaultTo(0))
      .execute();
    await createTable(db);
    await sql`
      insert into device_deployment_states
        (deployment_id, device_id, number, at_ms, attempt, from_status, status, substate)
      select deployment_id, device_id, 1, coalesce(finished_ms, started_ms), attempt, 'pending', status, substate
      from device_deployments where status <> 'pending'`.execute(db);
    await sql`update device_deployments set state_count = 1 where status <> 'pending'`.execute(db);
  },
};

async function createTable(db: Kysely<unknown>): Promise<void> {
  const table = db.schema
    .createTable("device_deployment_states")
    .addColumn("deployment_id", "text", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("number", "integer", (column) => column.notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("from_status", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("substate", "text")
    .addPrimaryKeyConstraint("device_deployment_states_key", ["deployment_id", "device_id", "number"])
    .addForeignKeyConstraint(
      "device_deployment_states_of",
      ["deployment_id", "device_id"],
      "device_deployments",
      ["deployment_id", "device_id"],
      (constraint) => constraint.onDelete("cascade"),
    );
  // One tree instead of two: every status writes a row.
  await (isPostgres(db) ? table : table.modifyEnd(sql`without rowid`)).execute();
}
