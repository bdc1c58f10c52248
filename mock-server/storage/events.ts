import { type Kysely, type Selectable, sql } from "kysely";
import { isPostgres } from "./engines/dialect.ts";
import type { EventTable, Schema } from "./schema.ts";

export type EventRecord = Readonly<Selectable<EventTable>>;

/** Ends the logging of events in records in memory: a large share of their size, and of the time of each change. */
export async function logNoEvents(db: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select name from sqlite_master where type = 'trigger' and name glob 'event_of_*'`.execute(db);
  for (const { name } of rows) await sql`drop trigger ${sql.ref(name)}`.execute(db);
  // Reports of the inventory insert their events themselves.
  await sql`create trigger no_events before insert on events begin select raise(ignore); end`.execute(db);
}

/** Events. Triggers write most of them (migration 0005). */
export class EventRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /**
   * Numbers the committed events that have no number yet: PostgreSQL's transactions commit in another order than they
   * draw numbers, and a reader that has seen a number must have seen all before it. The caller ensures that it runs once
   * at a time.
   */
  async number(): Promise<void> {
    if (!isPostgres(this.#db)) return;
    await sql`
      with queued as (delete from event_queue returning position, kind, action, subject, related, status)
      insert into events (kind, action, subject, related, status)
      select kind, action, subject, related, status from queued order by position`.execute(this.#db);
  }

  /** The first `limit` events after `number`, in order. */
  after(number: number, limit: number): Promise<EventRecord[]> {
    return this.#db
      .selectFrom("events")
      .selectAll()
      .where("number", ">", number)
      .orderBy("number")
      .limit(limit)
      .execute();
  }

  /** The numbers of the oldest and the newest event; `undefined` if there are none. */
  async extent(): Promise<{ readonly oldest: number; readonly newest: number } | undefined> {
    const { oldest, newest } = await this.#db
      .selectFrom("events")
      .select((eb) => [eb.fn.min("number").as("oldest"), eb.fn.max("number").as("newest")])
      .executeTakeFirstOrThrow();
    return oldest === null || newest === null ? undefined : { oldest: Number(oldest), newest: Number(newest) };
  }
}
