import type { Kysely, Selectable } from "kysely";
import { Prepared } from "./prepared.ts";
import type { AuthSetTable, AuthStatus, Schema } from "./schema.ts";

export type AuthSetRecord = Readonly<Selectable<AuthSetTable>>;

/** What must still be true of the auth set that a token was issued for. */
export interface AuthSetStanding {
  readonly device_id: string;
  readonly status: AuthStatus;
  readonly token_generation: number;
}

const STANDING = new Prepared<{ id: string }, AuthSetStanding>((db, value) =>
  db.selectFrom("auth_sets").select(["device_id", "status", "token_generation"]).where("id", "=", value("id")),
);

/** The keys of devices. */
export class AuthSetRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<AuthSetRecord | undefined> {
    return this.#db.selectFrom("auth_sets").selectAll().where("id", "=", id).executeTakeFirst();
  }

  standing(id: string): Promise<AuthSetStanding | undefined> {
    return STANDING.first(this.#db, { id });
  }

  /** In the order in which they came. */
  ofDevices(deviceIds: readonly string[]): Promise<AuthSetRecord[]> {
    if (deviceIds.length === 0) return Promise.resolve([]);
    return this.#db
      .selectFrom("auth_sets")
      .selectAll()
      .where("device_id", "in", deviceIds)
      .orderBy("created_ms")
      .orderBy("id")
      .execute();
  }

  async insert(authSet: AuthSetRecord): Promise<void> {
    await this.#db.insertInto("auth_sets").values(authSet).execute();
  }

  /** Set its status and make every token that was issued for it worthless. */
  async setStatus(id: string, status: AuthStatus): Promise<void> {
    await this.#db
      .updateTable("auth_sets")
      .set((eb) => ({ status, token_generation: eb("token_generation", "+", 1) }))
      .where("id", "=", id)
      .execute();
  }

  /** Make every token that was issued for it worthless. */
  async revokeTokens(id: string): Promise<void> {
    await this.#db
      .updateTable("auth_sets")
      .set((eb) => ({ token_generation: eb("token_generation", "+", 1) }))
      .where("id", "=", id)
      .execute();
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("auth_sets").where("id", "=", id).execute();
  }
}
