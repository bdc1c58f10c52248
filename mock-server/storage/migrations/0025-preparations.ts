import { type Kysely, type Migration, sql } from "kysely";
import { createRowTrigger, dropRowTrigger, isPostgres } from "./triggers.ts";

const TABLE = "deployments";

/**
 * Deployments that are being prepared have a table of their own. Their targets are inserted before their deployment, so
 * the rows of devices no longer refer to it.
 */
export const preparations: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    if (isPostgres(db)) {
      await sql`alter table device_deployments drop constraint device_deployments_deployment_id_fkey`.execute(db);
    } else {
      await dropReference(db);
    }
    await movePreparations(db);
  },
};

/** SQLite drops a reference by copying the table; its columns, indexes and triggers stay as they are. */
async function dropReference(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ type: string; sql: string }>`
    select type, sql from sqlite_master where tbl_name = 'device_deployments' and sql is not null`.execute(db);
  const table = rows.find(({ type }) => type === "table")?.sql ?? "";
  const copy = table
    .replace(' references "deployments" ("id") on delete cascade', "")
    .replace('"device_deployments"', '"device_deployments_copy"');
  await sql.raw(copy).execute(db);
  await sql`insert into device_deployments_copy select * from device_deployments`.execute(db);
  await sql`drop table device_deployments`.execute(db);
  await sql`alter table device_deployments_copy rename to device_deployments`.execute(db);
  for (const one of rows) if (one.type !== "table") await sql.raw(one.sql).execute(db);
}

async function movePreparations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("deployment_preparations")
    .addColumn("deployment_id", "text", (column) => column.primaryKey())
    .addColumn("sequence", "bigint", (column) => column.notNull().unique())
    .addColumn("artifact_name", "text", (column) => column.notNull())
    .addColumn("active_sha256", "text", (column) => column.unique())
    .addColumn("target_count", "bigint", (column) => column.notNull())
    .addColumn("batches", "bigint", (column) => column.notNull())
    .addColumn("abandoned", "integer", (column) => column.notNull())
    .execute();
  await sql`
    insert into deployment_preparations
      (deployment_id, sequence, artifact_name, active_sha256, target_count, batches, abandoned)
    select id, sequence, artifact_name, active_sha256, target_count, 0,
      case preparing_until_ms when 0 then 1 else 0 end
    from deployments where preparing_until_ms is not null`.execute(db);
  for (const name of ["insert", "prepared", "delete"]) {
    await dropRowTrigger(db, { name: `event_of_deployments_${name}`, table: TABLE });
  }
  await sql`delete from deployments where preparing_until_ms is not null`.execute(db);
  await db.schema.alterTable(TABLE).dropColumn("preparing_until_ms").execute();
  await createTrigger(db, "insert", "created", "new");
  await createTrigger(db, "delete", "deleted", "old");
}

async function createTrigger(db: Kysely<unknown>, of: string, action: string, row: "new" | "old"): Promise<void> {
  await createRowTrigger(db, {
    name: `event_of_deployments_${of}`,
    of,
    table: TABLE,
    statements: `insert into ${isPostgres(db) ? "event_queue" : "events"} (kind, action, subject, related, status)
      values ('deployment', '${action}', ${row}.id, null, ${row}.status);`,
  });
}
