import { type Kysely, type Migration, sql } from "kysely";
import { isPostgres } from "./triggers.ts";

/**
 * Whether a device has nothing to do is found in as little as can be, however large the fleet: what is read for one
 * device in a million is in no cache of the processor.
 */
export const standing: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Holds what is open, and nothing of what all devices have ever finished.
    await sql`drop index device_deployments_open`.execute(db);
    await sql`
      create index device_deployments_open on device_deployments (device_id, sequence)
      where finished_ms is null`.execute(db);
    if (isPostgres(db)) return;
    // Tells of a token all that is to be known, without its key. Unique, or the one of the ids would be preferred.
    await sql`
      create unique index auth_sets_standing on auth_sets (id, token_generation, status)`.execute(db);
  },
};
