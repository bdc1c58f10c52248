import { type Kysely, type Migration, sql } from "kysely";

/** The reason of a failure is kept when it is reported, so that failures are counted by reason without their logs. */
export const failures: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const table of ["device_deployments", "device_deployment_attempts"]) {
      await db.schema.alterTable(table).addColumn("reason", "text").execute();
    }
    await sql`update device_deployments set reason = substate where status = 'failure'`.execute(db);
    await sql`update device_deployment_attempts set reason = substate`.execute(db);
    await sql`
      create index device_deployments_failures on device_deployments (finished_ms)
      where status = 'failure'`.execute(db);
  },
};
