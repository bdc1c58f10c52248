import type { Kysely, Selectable, Updateable } from "kysely";
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

  find(id: string): Promise<UserRecord | undefined> {
    return this.#db.selectFrom("users").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** In the order in which they were made. */
  all(): Promise<UserRecord[]> {
    return this.#db.selectFrom("users").selectAll().orderBy("created_ms").orderBy("id").execute();
  }

  /** @param email Lower case. */
  findByEmail(email: string): Promise<UserRecord | undefined> {
    return this.#db.selectFrom("users").selectAll().where("email", "=", email).executeTakeFirst();
  }

  async insert(user: UserRecord): Promise<void> {
    await this.#db.insertInto("users").values(user).execute();
  }

  async update(id: string, change: Updateable<UserTable>): Promise<void> {
    await this.#db.updateTable("users").set(change).where("id", "=", id).execute();
  }

  /** With all sessions. */
  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("users").where("id", "=", id).execute();
  }
}
