import type { Kysely, Selectable } from "kysely";
import type { Schema, SessionTable, UserTable } from "./schema.ts";

export type SessionRecord = Readonly<Selectable<SessionTable>>;

/** Whose session it is. */
export type SessionStanding = Pick<UserTable, "id" | "email" | "role"> &
  Pick<SessionTable, "token_name" | "last_used_ms" | "expires_ms">;

/** Logins and personal access tokens that are still good. */
export class SessionRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** The user and when the session was last used, if it is still there. */
  find(id: string, userId: string): Promise<SessionStanding | undefined> {
    return this.#db
      .selectFrom("sessions")
      .innerJoin("users", "users.id", "sessions.user_id")
      .select(["users.id", "users.email", "users.role"])
      .select(["sessions.token_name", "sessions.last_used_ms", "sessions.expires_ms"])
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

  /** Personal access tokens, in the order in which they were made. */
  tokensOf(userId: string): Promise<SessionRecord[]> {
    return this.#db
      .selectFrom("sessions")
      .selectAll()
      .where("user_id", "=", userId)
      .where("token_name", "is not", null)
      .orderBy("created_ms")
      .orderBy("id")
      .execute();
  }

  async trimTokens(userId: string, nowMs: number): Promise<void> {
    await this.#db.deleteFrom("sessions").where("user_id", "=", userId).where("expires_ms", "<=", nowMs).execute();
  }

  async deleteToken(userId: string, id: string): Promise<void> {
    await this.#db
      .deleteFrom("sessions")
      .where("user_id", "=", userId)
      .where("id", "=", id)
      .where("token_name", "is not", null)
      .execute();
  }

  /** End all logins of a user but one; tokens stay. */
  async endLogins(userId: string, keepId: string): Promise<void> {
    await this.#db
      .deleteFrom("sessions")
      .where("user_id", "=", userId)
      .where("id", "<>", keepId)
      .where("token_name", "is", null)
      .execute();
  }

  /** End all personal access tokens of a user. */
  async endTokens(userId: string): Promise<void> {
    await this.#db.deleteFrom("sessions").where("user_id", "=", userId).where("token_name", "is not", null).execute();
  }

  /** End all logins and tokens of a user. */
  async endAll(userId: string): Promise<void> {
    await this.#db.deleteFrom("sessions").where("user_id", "=", userId).execute();
  }

  async use(id: string, nowMs: number): Promise<void> {
    await this.#db.updateTable("sessions").set({ last_used_ms: nowMs }).where("id", "=", id).execute();
  }

  /** Forget what has expired, and the oldest sessions of the user beyond `keep`. */
  async trim(userId: string, keep: number, nowMs: number): Promise<void> {
    await this.#db.deleteFrom("sessions").where("user_id", "=", userId).where("expires_ms", "<=", nowMs).execute();
    const rows = await this.#db
      .selectFrom("sessions")
      .select("id")
      .where("user_id", "=", userId)
      .where("token_name", "is", null)
      .orderBy("created_ms", "desc")
      .orderBy("id")
      .execute();
    const old = rows.slice(keep).map((row) => row.id);
    if (old.length > 0) await this.#db.deleteFrom("sessions").where("id", "in", old).execute();
  }
}
