import { type Kysely, sql } from "kysely";
import { isPostgres } from "../engines/dialect.ts";

export { isPostgres };

export interface RowTrigger {
  readonly name: string;
  /** `insert`, `delete`, `update` or `update of COLUMN, …`. */
  readonly of: string;
  readonly table: string;
  /** Of `old` and `new`; absent: always. */
  readonly condition?: string | undefined;
  /** One or more, each with its semicolon. */
  readonly statements: string;
}

/** Do something after each row that is changed. */
export async function createRowTrigger(
  db: Kysely<unknown>,
  { name, of, table, condition, statements }: RowTrigger,
): Promise<void> {
  const when = condition === undefined ? "" : `when (${condition})`;
  const head = `create trigger ${name} after ${of} on ${table} for each row ${when}`;
  if (!isPostgres(db)) {
    await sql.raw(`${head} begin ${statements} end`).execute(db);
    return;
  }
  await sql
    .raw(
      `create or replace function ${name}() returns trigger language plpgsql as $$ begin ${statements} return null; end; $$`,
    )
    .execute(db);
  await sql.raw(`${head} execute function ${name}()`).execute(db);
}

export async function dropRowTrigger(
  db: Kysely<unknown>,
  { name, table }: Pick<RowTrigger, "name" | "table">,
): Promise<void> {
  await sql.raw(`drop trigger if exists ${name}${isPostgres(db) ? ` on ${table}` : ""}`).execute(db);
}
