import type { Kysely, Selectable } from "kysely";
import type { Schema, ServerUptimeTable } from "./schema.ts";

/** The uptime of a server. */
export type UptimeRecord = Readonly<Selectable<ServerUptimeTable>>;

/** The uptimes of the servers that share the records. */
export class UptimeRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  all(): Promise<UptimeRecord[]> {
    return this.#db.selectFrom("server_uptime").selectAll().orderBy("server").execute();
  }

  async put({ server, ...when }: UptimeRecord): Promise<void> {
    await this.#db
      .insertInto("server_uptime")
      .values({ server, ...when })
      .onConflict((conflict) => conflict.column("server").doUpdateSet(when))
      .execute();
  }

  async delete(server: string): Promise<void> {
    await this.#db.deleteFrom("server_uptime").where("server", "=", server).execute();
  }
}
