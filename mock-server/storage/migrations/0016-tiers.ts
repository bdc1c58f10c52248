import { type Kysely, type Migration, sql } from "kysely";
import { createRowTrigger, dropRowTrigger } from "./triggers.ts";

/** A device that is in no group counts for the group without a name. */
const kind = (row: "old" | "new"): string => `${row}.status, ${row}.tier, coalesce(${row}.group_name, '')`;
const COUNT_IN = `insert into device_counts (status, tier, group_name, count) values (${kind("new")}, 1)
  on conflict (status, tier, group_name) do update set count = device_counts.count + 1;`;
const COUNT_OUT = `update device_counts set count = count - 1 where (status, tier, group_name) = (${kind("old")});
  delete from device_counts where (status, tier, group_name) = (${kind("old")}) and count = 0;`;

/** Devices and their keys have a tier, by which devices are counted. */
export const tiers: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const table of ["devices", "auth_sets"]) {
      await db.schema
        .alterTable(table)
        .addColumn("tier", "text", (column) => column.notNull().defaultTo("standard"))
        .execute();
    }
    await db.schema.alterTable("auth_sets").renameColumn("public_key_sha256", "key_and_tier_sha256").execute();
    for (const name of ["device_counts_insert", "device_counts_update", "device_counts_delete"]) {
      await dropRowTrigger(db, { table: "devices", name });
    }
    await db.schema.dropTable("device_counts").execute();
    await db.schema
      .createTable("device_counts")
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("tier", "text", (column) => column.notNull())
      .addColumn("group_name", "text", (column) => column.notNull())
      .addColumn("count", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("device_counts_by_kind", ["status", "tier", "group_name"])
      .execute();
    await sql`
      insert into device_counts (status, tier, group_name, count)
      select status, tier, coalesce(group_name, ''), count(*) from devices group by 1, 2, 3`.execute(db);
    const changed = ["status", "tier", "group_name"];
    const triggers = [
      { of: "insert", name: "device_counts_insert", statements: COUNT_IN },
      {
        of: `update of ${changed.join(", ")}`,
        name: "device_counts_update",
        condition: changed.map((column) => `old.${column} is distinct from new.${column}`).join(" or "),
        statements: COUNT_OUT + COUNT_IN,
      },
      { of: "delete", name: "device_counts_delete", statements: COUNT_OUT },
    ];
    for (const trigger of triggers) await createRowTrigger(db, { table: "devices", ...trigger });
  },
};
