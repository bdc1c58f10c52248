import type { Kysely, Selectable } from "kysely";
import type { HearingTable, Schema } from "./schema.ts";

/** When a server could hear devices, without a break. */
export type HearingRecord = Readonly<Selectable<HearingTable>>;

/** When the servers that share the records could hear devices. */
export class HearingRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  all(): Promise<HearingRecord[]> {
    return this.#db.selectFrom("hearing").selectAll().orderBy("server").execute();
  }

  async put({ server, ...when }: HearingRecord): Promise<void> {
    await this.#db
      .insertInto("hearing")
      .values({ server, ...when })
      .onConflict((conflict) => conflict.column("server").doUpdateSet(when))
      .execute();
  }

  async delete(server: string): Promise<void> {
    await this.#db.deleteFrom("hearing").where("server", "=", server).execute();
  }
}
