import type { Kysely, Selectable } from "kysely";
import { Prepared } from "./prepared.ts";
import type { Schema, SettingsTable } from "./schema.ts";

export type SettingsRecord = Readonly<Selectable<SettingsTable>>;

const LIMIT = new Prepared<{ name: string }, { readonly value: number }>((db, value) =>
  db.selectFrom("limits").select("value").where("name", "=", value("name")),
);

/** What programs keep here for their users, and limits. */
export class SettingsRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(owner: string): Promise<SettingsRecord | undefined> {
    return this.#db.selectFrom("settings").selectAll().where("owner", "=", owner).executeTakeFirst();
  }

  /** In place of what was there. */
  async put({ owner, ...rest }: SettingsRecord): Promise<void> {
    await this.#db
      .insertInto("settings")
      .values({ owner, ...rest })
      .onConflict((conflict) => conflict.column("owner").doUpdateSet(rest))
      .execute();
  }

  async delete(owner: string): Promise<void> {
    await this.#db.deleteFrom("settings").where("owner", "=", owner).execute();
  }

  async limit(name: string): Promise<number | undefined> {
    const row = await LIMIT.first(this.#db, { name });
    return row === undefined ? undefined : Number(row.value);
  }

  /** @param value `undefined`: no limit any more. */
  async setLimit(name: string, value: number | undefined): Promise<void> {
    await this.#db.deleteFrom("limits").where("name", "=", name).execute();
    if (value !== undefined) await this.#db.insertInto("limits").values({ name, value }).execute();
  }
}
