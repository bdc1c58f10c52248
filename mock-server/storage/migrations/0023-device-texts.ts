import { type Kysely, type Migration, sql } from "kysely";
import { deviceText } from "../device-texts.ts";
import { isPostgres } from "./triggers.ts";

const DEVICES_AT_ONCE = 500;

/** Devices are found by a part of any value without reading all their attributes. */
export const deviceTexts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const table = db.schema
      .createTable("device_texts")
      .addColumn("device_id", "text", (column) => column.primaryKey().references("devices.id").onDelete("cascade"))
      .addColumn("text", "text", (column) => column.notNull());
    await (isPostgres(db) ? table : table.modifyEnd(sql`without rowid`)).execute();
    let after = "";
    for (;;) {
      const { rows: devices } = await sql<{ id: string }>`
        select id from devices where id > ${after} order by id limit ${sql.lit(DEVICES_AT_ONCE)}`.execute(db);
      const last = devices.at(-1);
      if (last === undefined) break;
      await fill(db, after, last.id, devices);
      after = last.id;
    }
    if (isPostgres(db)) await sql`analyze device_texts`.execute(db);
  },
};

/** The devices with ids above `after` and up to `last`. */
async function fill(
  db: Kysely<unknown>,
  after: string,
  last: string,
  devices: readonly { readonly id: string }[],
): Promise<void> {
  const values = new Map<string, { value_json: string }[]>(devices.map(({ id }) => [id, []]));
  const { rows } = await sql<{ device_id: string; value_json: string }>`
    select device_id, value_json from inventory_attributes
    where device_id > ${after} and device_id <= ${last}`.execute(db);
  for (const row of rows) values.get(row.device_id)?.push(row);
  const texts = [...values].map(([id, attributes]) => sql`(${id}, ${deviceText(attributes)})`);
  await sql`insert into device_texts (device_id, text) values ${sql.join(texts)}`.execute(db);
}
