import { type Kysely, type Migration, sql } from "kysely";

/** Finds silent devices without reading the others: every poll asks. */
export const silence: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      update device_deployments set heard_ms = 0
      where heard_ms is null and finished_ms is null and exists (
        select 1 from deployments
        where deployments.id = device_deployments.deployment_id and deployments.silent_after_ms is not null)`.execute(
      db,
    );
    await sql`
      create index device_deployments_silence on device_deployments (deployment_id, heard_ms, device_id)
      where finished_ms is null and heard_ms is not null`.execute(db);
  },
};
