import { type Kysely, type Migration, sql } from "kysely";
import { isPostgres } from "./triggers.ts";

/**
 * Devices that report at the same time change no common row: what they count is appended, and events get their numbers
 * later. Places, which are limited, have a row of their own.
 */
export const deltas: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("counter_deltas")
      .addColumn("deployment_id", "text", (column) => column.notNull())
      .addColumn("counter", "text", (column) => column.notNull())
      .addColumn("change", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("counter_deltas_by_counter")
      .on("counter_deltas")
      .columns(["deployment_id", "counter"])
      .execute();
    await createPlaces(db);
    await createEventQueue(db);
  },
};

async function createPlaces(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("deployment_places")
    .addColumn("deployment_id", "text", (column) =>
      column.primaryKey().references("deployments.id").onDelete("cascade"),
    )
    .addColumn("in_phases", "bigint", (column) => column.notNull())
    .addColumn("in_all", "bigint", (column) => column.notNull())
    .execute();
  await sql`
    insert into deployment_places (deployment_id, in_phases, in_all)
    select id, coalesce((select sum(device_count) from deployment_phases where deployment_id = deployments.id), 0),
      admitted_count
    from deployments
    where max_devices is not null
      or exists (select 1 from deployment_phases where deployment_id = deployments.id)`.execute(db);
}

/** The triggers of events write into the queue instead, on PostgreSQL. */
async function createEventQueue(db: Kysely<unknown>): Promise<void> {
  const position = isPostgres(db)
    ? "bigint generated always as identity primary key"
    : "integer primary key autoincrement";
  await sql
    .raw(
      `create table event_queue (
        position ${position}, kind text not null, action text not null,
        subject text not null, related text, status text)`,
    )
    .execute(db);
  if (!isPostgres(db)) return;
  await sql`
    do $body$
    declare
      one record;
    begin
      for one in
        select proname, prosrc from pg_proc
        where pronamespace = current_schema()::regnamespace and proname like 'event\\_of\\_%'
      loop
        execute format(
          'create or replace function %I() returns trigger language plpgsql as %L',
          one.proname, replace(one.prosrc, 'insert into events', 'insert into event_queue'));
      end loop;
    end
    $body$`.execute(db);
}
