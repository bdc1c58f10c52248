import { type Kysely, type Migration, sql } from "kysely";

/** Which groups have a member of a status is known without looking at every member. */
export const groups: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      create index devices_by_group_and_status on devices (group_name, status) where group_name is not null`.execute(
      db,
    );
  },
};
