import { type Kysely, type Migration, sql } from "kysely";
import { type IndexedValue, keysOf } from "../attribute-keys.ts";
import { isPostgres } from "./triggers.ts";

/** Attributes per statement, and entries per statement: below the limits of parameters. */
const ATTRIBUTES_AT_ONCE = 5000;
const ENTRIES_AT_ONCE = 2500;

interface AttributeRow {
  readonly device_id: string;
  readonly scope: string;
  readonly name: string;
  readonly value_json: string;
}

/** Searches find devices by the values of their attributes, and reports write what they change only. */
export const attributeIndex: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("devices").addColumn("attributes_ms", "bigint").execute();
    await sql`
      update devices set attributes_ms = (
        select max(updated_ms) from inventory_attributes where inventory_attributes.device_id = devices.id)`.execute(
      db,
    );
    await db.schema
      .createTable("attribute_names")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("scope", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addUniqueConstraint("attribute_names_by_name", ["scope", "name"])
      .execute();
    await sql`
      insert into attribute_names (id, scope, name)
      select row_number() over (order by scope, name), scope, name
      from (select distinct scope, name from inventory_attributes) as names`.execute(db);
    await sql`
      insert into sequences (name, value)
      select 'attribute_names', count(*) from attribute_names having count(*) > 0`.execute(db);
    await fillUnsorted(db);
    await createTable(db);
    // Sorted, so that the tree grows at its end.
    await sql`
      insert into attribute_values (name_id, key, device_id)
      select name_id, key, device_id from unsorted_values order by name_id, key, device_id`.execute(db);
    await db.schema.dropTable("unsorted_values").execute();
    // Until PostgreSQL does it by itself, a search would go through whole tables.
    if (isPostgres(db)) await sql`analyze attribute_values`.execute(db);
  },
};

async function createTable(db: Kysely<unknown>): Promise<void> {
  const table = db.schema
    .createTable("attribute_values")
    .addColumn("name_id", "integer", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("attribute_values_key", ["name_id", "key", "device_id"]);
  await (isPostgres(db) ? table : table.modifyEnd(sql`without rowid`)).execute();
}

async function fillUnsorted(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("unsorted_values")
    .addColumn("name_id", "integer")
    .addColumn("key", "text")
    .addColumn("device_id", "text")
    .execute();
  const { rows } = await sql<{ id: number; scope: string; name: string }>`select * from attribute_names`.execute(db);
  const ids = new Map(rows.map(({ id, scope, name }) => [`${scope}/${name}`, id]));
  let last: AttributeRow | undefined = { device_id: "", scope: "", name: "", value_json: "" };
  while (last !== undefined) {
    const { rows: attributes }: { rows: AttributeRow[] } = await sql<AttributeRow>`
      select device_id, scope, name, value_json from inventory_attributes
      where (device_id, scope, name) > (${last.device_id}, ${last.scope}, ${last.name})
      order by device_id, scope, name limit ${sql.lit(ATTRIBUTES_AT_ONCE)}`.execute(db);
    const entries = attributes.flatMap(({ device_id, scope, name, value_json }) =>
      keysOf(JSON.parse(value_json) as IndexedValue).map((key) => ({
        id: ids.get(`${scope}/${name}`),
        key,
        device_id,
      })),
    );
    for (let start = 0; start < entries.length; start += ENTRIES_AT_ONCE)
      await insert(db, entries.slice(start, start + ENTRIES_AT_ONCE));
    last = attributes.at(-1);
  }
}

interface Entry {
  readonly id: number | undefined;
  readonly key: string;
  readonly device_id: string;
}

/** One parameter, whatever the number of rows. */
async function insert(db: Kysely<unknown>, entries: readonly Entry[]): Promise<void> {
  const json = JSON.stringify(entries);
  const source = isPostgres(db)
    ? sql`select id, key, device_id from json_to_recordset(${json}::json) as given (id integer, key text, device_id text)`
    : sql`select value ->> 'id', value ->> 'key', value ->> 'device_id' from json_each(${json})`;
  await sql`insert into unsorted_values (name_id, key, device_id) ${source}`.execute(db);
}
