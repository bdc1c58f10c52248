import { type Kysely, type Migration, sql } from "kysely";
import { isPostgres } from "./triggers.ts";

const END = sql.lit("\n");
/** The texts were the id and the values, by lines. */
const WITHOUT_ID = sql`case substr(text || ${END}, 1, length(device_id) + 1) when device_id || ${END}
  then substr(text, length(device_id) + 2) else text end`;

/**
 * The texts by which devices are found leave out the id, which a search reads from its own column. The table is written
 * afresh: an update would leave as many pages to read as before.
 */
export const textsWithoutIds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    if (isPostgres(db)) {
      await sql`alter table device_texts alter column text type text using ${WITHOUT_ID}`.execute(db);
      await sql`analyze device_texts`.execute(db);
      return;
    }
    await db.schema
      .createTable("device_texts_copy")
      .addColumn("device_id", "text", (column) => column.primaryKey().references("devices.id").onDelete("cascade"))
      .addColumn("text", "text", (column) => column.notNull())
      .modifyEnd(sql`without rowid`)
      .execute();
    await sql`
      insert into device_texts_copy select device_id, ${WITHOUT_ID} from device_texts order by device_id`.execute(db);
    await sql`drop table device_texts`.execute(db);
    await sql`alter table device_texts_copy rename to device_texts`.execute(db);
  },
};
