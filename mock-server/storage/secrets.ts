import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** Keys that were made at the first start. */
export class SecretRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async find(name: string): Promise<string | undefined> {
    const row = await this.#db.selectFrom("secrets").select("value").where("name", "=", name).executeTakeFirst();
    return row?.value;
  }

  async insert(name: string, value: string): Promise<void> {
    await this.#db.insertInto("secrets").values({ name, value }).execute();
  }
}
