import { type Kysely, type Migration, sql } from "kysely";
import { createRowTrigger } from "./triggers.ts";

/** A device that is in no group counts for the group without a name. */
const kind = (row: "old" | "new"): string => `${row}.status, coalesce(${row}.group_name, '')`;
const COUNT_IN = `insert into device_counts (status, group_name, count) values (${kind("new")}, 1)
  on conflict (status, group_name) do update set count = device_counts.count + 1;`;
const COUNT_OUT = `update device_counts set count = count - 1 where (status, group_name) = (${kind("old")});
  delete from device_counts where (status, group_name) = (${kind("old")}) and count = 0;`;

/** How many devices there are is known without counting them: each change of a device counts. */
export const deviceCounts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("device_counts")
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("group_name", "text", (column) => column.notNull())
      .addColumn("count", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("device_counts_key", ["status", "group_name"])
      .execute();
    await sql`
      insert into device_counts (status, group_name, count)
      select status, coalesce(group_name, ''), count(*) from devices group by 1, 2`.execute(db);
    const triggers = [
      { of: "insert", name: "device_counts_insert", statements: COUNT_IN },
      {
        of: "update of status, group_name",
        name: "device_counts_update",
        condition: "old.status is distinct from new.status or old.group_name is distinct from new.group_name",
        statements: COUNT_OUT + COUNT_IN,
      },
      { of: "delete", name: "device_counts_delete", statements: COUNT_OUT },
    ];
    for (const trigger of triggers) await createRowTrigger(db, { table: "devices", ...trigger });
  },
};
