import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** Named numbers. */
export class SequenceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async put(name: string, value: number): Promise<void> {
    await this.#db
      .insertInto("sequences")
      .values({ name, value })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
      .execute();
  }
}
