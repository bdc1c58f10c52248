import type { Kysely, Selectable } from "kysely";
import { offsetOf, type Page, type Paging } from "./paging.ts";
import type { SavedFilterTable, Schema } from "./schema.ts";

export type SavedFilterRecord = Readonly<Selectable<SavedFilterTable>>;

/** Saved filters. */
export class SavedFilterRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<SavedFilterRecord | undefined> {
    return this.#db.selectFrom("saved_filters").selectAll().where("id", "=", id).executeTakeFirst();
  }

  findByName(name: string): Promise<SavedFilterRecord | undefined> {
    return this.#db.selectFrom("saved_filters").selectAll().where("name", "=", name).executeTakeFirst();
  }

  /** By time of creation. */
  async list(paging: Paging): Promise<Page<SavedFilterRecord>> {
    const query = this.#db.selectFrom("saved_filters");
    const counted = await query.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    const items = await query
      .selectAll()
      .orderBy("created_ms")
      .orderBy("id")
      .limit(paging.perPage)
      .offset(offsetOf(paging))
      .execute();
    return { items, total: Number(counted.count) };
  }

  async insert(filter: SavedFilterRecord): Promise<void> {
    await this.#db.insertInto("saved_filters").values(filter).execute();
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("saved_filters").where("id", "=", id).execute();
  }
}
