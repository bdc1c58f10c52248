import type { Kysely, Selectable } from "kysely";
import type { Schema, SessionTable } from "./schema.ts";

export type SessionRecord = Readonly<Selectable<SessionTable>>;

/** Logins that are still good. */
export class SessionRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** @returns the user's id and e-mail address if the session is still there. */
  find(id: string, userId: string): Promise<{ readonly id: string; readonly email: string } | undefined> {
    return this.#db
      .selectFrom("sessions")
      .innerJoin("users", "users.id", "sessions.user_id")
      .select(["users.id", "users.email"])
      .where("sessions.id", "=", id)
      .where("sessions.user_id", "=", userId)
      .executeTakeFirst();
  }

  async insert(session: SessionRecord): Promise<void> {
    await this.#db.insertInto("sessions").values(session).execute();
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("sessions").where("id", "=", id).execute();
  }

  /** Forget what has expired, and the oldest sessions of the user beyond `keep`. */
  async trim(userId: string, keep: number, nowMs: number): Promise<void> {
    await this.#db.deleteFrom("sessions").where("user_id", "=", userId).where("expires_ms", "<=", nowMs).execute();
    const rows = await this.#db
      .selectFrom("sessions")
      .select("id")
      .where("user_id", "=", userId)
      .orderBy("created_ms", "desc")
      .orderBy("id")
      .execute();
    const old = rows.slice(keep).map((row) => row.id);
    if (old.length > 0) await this.#db.deleteFrom("sessions").where("id", "in", old).execute();
  }
}
