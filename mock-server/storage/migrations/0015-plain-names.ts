import { type Kysely, type Migration, sql } from "kysely";

/** Renames what had a name of our own: `heard_ms`, `ending` and the table `hearing`. Indices follow. */
export const plainNames: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table device_deployments rename column heard_ms to last_seen_ms`.execute(db);
    await sql`alter table deployments rename column ending to pending_end`.execute(db);
    await sql`alter table hearing rename to server_uptime`.execute(db);
  },
};
