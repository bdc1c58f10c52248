import type { Kysely, Selectable } from "kysely";
import type { EventTable, Schema } from "./schema.ts";

export type EventRecord = Readonly<Selectable<EventTable>>;

/** Events. Triggers write most of them (migration 0005). */
export class EventRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
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
