import type { Kysely, Selectable } from "kysely";
import type { Schema, UserTable } from "./schema.ts";

export type UserRecord = Readonly<Selectable<UserTable>>;

/** People who may manage devices. */
export class UserRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async count(): Promise<number> {
    const row = await this.#db
      .selectFrom("users")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** @param email Lower case. */
  findByEmail(email: string): Promise<UserRecord | undefined> {
    return this.#db.selectFrom("users").selectAll().where("email", "=", email).executeTakeFirst();
  }

  async insert(user: UserRecord): Promise<void> {
    await this.#db.insertInto("users").values(user).execute();
  }
}
