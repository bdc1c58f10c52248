import { type Kysely, type Migration, PostgresAdapter, sql } from "kysely";

const KIND_AND_SUBJECT = "insert into events (kind, action, subject, related, status) values ('deployment',";

/** Events of deployments. One that is being prepared is created when that is over, and was never there if it fails. */
const TRIGGERS = [
  {
    name: "event_of_deployments_insert",
    of: "insert",
    condition: "new.preparing_until_ms is null",
    statement: `${KIND_AND_SUBJECT} 'created', new.id, null, new.status);`,
  },
  {
    name: "event_of_deployments_prepared",
    of: "update of preparing_until_ms",
    condition: "old.preparing_until_ms is not null and new.preparing_until_ms is null",
    statement: `${KIND_AND_SUBJECT} 'created', new.id, null, new.status);`,
  },
  {
    name: "event_of_deployments_delete",
    of: "delete",
    condition: "old.preparing_until_ms is null",
    statement: `${KIND_AND_SUBJECT} 'deleted', old.id, null, old.status);`,
  },
] as const;

/** Deployments to many devices are prepared in many transactions, and seen once they are complete. */
export const preparing: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const postgres = db.getExecutor().adapter instanceof PostgresAdapter;
    await db.schema.alterTable("deployments").addColumn("preparing_until_ms", "bigint").execute();
    for (const { name, of, condition, statement } of TRIGGERS) {
      await sql.raw(`drop trigger if exists ${name}${postgres ? " on deployments" : ""}`).execute(db);
      const head = `create trigger ${name} after ${of} on deployments for each row when (${condition})`;
      if (!postgres) {
        await sql.raw(`${head} begin ${statement} end`).execute(db);
        continue;
      }
      await sql
        .raw(
          `create or replace function ${name}() returns trigger language plpgsql as $$ begin ${statement} return null; end; $$`,
        )
        .execute(db);
      await sql.raw(`${head} execute function ${name}()`).execute(db);
    }
  },
};
