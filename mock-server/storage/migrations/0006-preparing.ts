import type { Kysely, Migration } from "kysely";
import { createRowTrigger, dropRowTrigger, type RowTrigger } from "./triggers.ts";

const KIND_AND_SUBJECT = "insert into events (kind, action, subject, related, status) values ('deployment',";

/** Events of deployments. One that is being prepared is created when that is over, and was never there if it fails. */
const TRIGGERS = [
  {
    name: "event_of_deployments_insert",
    of: "insert",
    condition: "new.preparing_until_ms is null",
    statements: `${KIND_AND_SUBJECT} 'created', new.id, null, new.status);`,
  },
  {
    name: "event_of_deployments_prepared",
    of: "update of preparing_until_ms",
    condition: "old.preparing_until_ms is not null and new.preparing_until_ms is null",
    statements: `${KIND_AND_SUBJECT} 'created', new.id, null, new.status);`,
  },
  {
    name: "event_of_deployments_delete",
    of: "delete",
    condition: "old.preparing_until_ms is null",
    statements: `${KIND_AND_SUBJECT} 'deleted', old.id, null, old.status);`,
  },
].map((trigger): RowTrigger => ({ ...trigger, table: "deployments" }));

/** Deployments to many devices are prepared in many transactions, and seen once they are complete. */
export const preparing: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("deployments").addColumn("preparing_until_ms", "bigint").execute();
    for (const trigger of TRIGGERS) {
      await dropRowTrigger(db, trigger);
      await createRowTrigger(db, trigger);
    }
  },
};
