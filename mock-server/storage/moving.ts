import { createHash, type Hash } from "node:crypto";
import { type Kysely, PostgresAdapter, sql } from "kysely";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

type Row = Readonly<Record<string, string | number | null>>;
type AnyTables = Record<string, Record<string, string | number | null>>;

/**
 * Every table with the columns of its primary key, ordered so that rows come after the rows that they refer to.
 * Triggers fill the last three as well.
 */
const TABLES = {
  sequences: ["name"],
  secrets: ["name"],
  devices: ["id"],
  auth_sets: ["id"],
  inventory_attributes: ["device_id", "scope", "name"],
  device_texts: ["device_id"],
  attribute_names: ["id"],
  attribute_values: ["name_id", "key", "device_id"],
  users: ["id"],
  settings: ["owner"],
  limits: ["name"],
  sessions: ["id"],
  artifacts: ["id"],
  artifact_values: ["artifact_id", "kind", "value"],
  artifact_combinations: ["artifact_name", "combination_sha256"],
  artifact_indexes: ["artifact_id"],
  deployments: ["id"],
  deployment_preparations: ["deployment_id"],
  deployment_counters: ["deployment_id", "status"],
  deployment_phases: ["deployment_id", "number"],
  deployment_places: ["deployment_id"],
  counter_deltas: ["deployment_id", "counter", "change"],
  device_deployments: ["deployment_id", "device_id"],
  device_deployment_attempts: ["deployment_id", "device_id", "attempt"],
  device_deployment_states: ["deployment_id", "device_id", "number"],
  device_downloads: ["deployment_id", "device_id", "attempt"],
  deployment_logs: ["deployment_id", "device_id", "attempt"],
  saved_filters: ["id"],
  device_configurations: ["device_id"],
  release_notes: ["release_name"],
  release_tags: ["release_name", "tag"],
  group_ends: ["name"],
  server_uptime: ["server"],
  device_counts: ["status", "tier", "group_name"],
  events: ["number"],
  event_queue: ["position"],
} satisfies Readonly<Record<keyof Schema, readonly string[]>>;

const FILLED_BY_TRIGGERS: readonly string[] = ["device_counts", "events", "event_queue"];

/** Rows per read. */
const ROWS_AT_ONCE = 1000;
/** Parameters per statement, below the limits of both engines. */
const VALUES_MAX = 8000;

/** The summary of a table. */
export interface TableSummary {
  readonly table: string;
  readonly rows: number;
  /** Of all rows, in the order of the primary key. */
  readonly sha256: string;
}

/** The other engine refused a row, or changed it. */
export class MovingError extends Error {
  override readonly name = "MovingError";
}

/** All tables, row by row. */
export class MovingRecords {
  readonly #schema: Kysely<Schema>;
  readonly #db: Kysely<AnyTables>;

  constructor(db: Kysely<Schema>) {
    this.#schema = db;
    this.#db = db.withTables<AnyTables>() as unknown as Kysely<AnyTables>;
  }

  /** True if no server has used this database. */
  async isEmpty(): Promise<boolean> {
    for (const table of ["secrets", "users", "devices", "artifacts", "deployments"]) {
      if ((await this.#db.selectFrom(table).selectAll().limit(1).execute()).length > 0) return false;
    }
    return true;
  }

  /** The rows of a table by primary key, in portions. */
  async *rows(table: keyof typeof TABLES): AsyncGenerator<readonly Row[]> {
    const key: readonly string[] = TABLES[table];
    const columns = key.map((column) => sql.ref(column));
    let last: Row | undefined;
    for (;;) {
      let query = this.#db
        .selectFrom(table as string)
        .selectAll()
        .limit(ROWS_AT_ONCE);
      for (const column of key) query = query.orderBy(column);
      if (last !== undefined) {
        const values = key.map((column) => sql`${last?.[column]}`);
        query = query.where(sql<boolean>`(${sql.join(columns)}) > (${sql.join(values)})`);
      }
      const rows = await query.execute();
      if (rows.length > 0) yield rows;
      if (rows.length < ROWS_AT_ONCE) return;
      last = rows.at(-1);
    }
  }

  async summary(table: keyof typeof TABLES): Promise<TableSummary> {
    const digest = new RowDigest();
    for await (const rows of this.rows(table)) digest.add(rows);
    return digest.summary(table);
  }

  async clear(tables: readonly string[] = Object.keys(TABLES).toReversed()): Promise<void> {
    for (const table of tables) await this.#db.deleteFrom(table).execute();
  }

  async append(table: string, rows: readonly Row[]): Promise<void> {
    const atOnce = Math.max(1, Math.floor(VALUES_MAX / Object.keys(rows[0] ?? {}).length));
    for (let start = 0; start < rows.length; start += atOnce) {
      await this.#db
        .insertInto(table)
        .values(rows.slice(start, start + atOnce).map((row) => ({ ...row })))
        .execute();
    }
  }

  /** Lets PostgreSQL accept event numbers (`take`), or generate them again. */
  async takeEventNumbers(take: boolean): Promise<void> {
    if (!(this.#schema.getExecutor().adapter instanceof PostgresAdapter)) return;
    if (!take) {
      const { rows } = await sql<{ last: number | null }>`select max(number) as last from events`.execute(this.#schema);
      const next = Number(rows[0]?.last ?? 0) + 1;
      await sql`alter table events alter column number restart with ${sql.lit(next)}`.execute(this.#schema);
    }
    const generated = sql.raw(take ? "by default" : "always");
    await sql`alter table events alter column number set generated ${generated}`.execute(this.#schema);
  }
}

class RowDigest {
  readonly #hash: Hash = createHash("sha256");
  #rows = 0;

  add(rows: readonly Row[]): void {
    this.#rows += rows.length;
    for (const row of rows) this.#hash.update(`${JSON.stringify(Object.entries(row).sort(byName))}\n`);
  }

  summary(table: string): TableSummary {
    return { table, rows: this.#rows, sha256: this.#hash.digest("hex") };
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/**
 * Copies all records between any two engines in one transaction: the target gets all of them, verified table by table,
 * or stays unchanged. The source is locked for writes meanwhile.
 * @param options.replace Delete the records of the target first.
 * @returns A summary of each table.
 * @throws MovingError
 */
export async function copyAllRecords(
  source: Storage,
  target: Storage,
  options: { readonly replace?: boolean } = {},
): Promise<readonly TableSummary[]> {
  return await source.transaction(async (all) => {
    await all.fold();
    const from = all.moving;
    return await target.transaction(async ({ moving: to }) => {
      if (options.replace !== true && !(await to.isEmpty())) throw new MovingError("the target is not empty");
      await to.clear();
      const summaries: TableSummary[] = [];
      const tables = Object.keys(TABLES) as (keyof typeof TABLES)[];
      await to.takeEventNumbers(true);
      for (const table of tables) summaries.push(await copyTable(table, from, to));
      await to.takeEventNumbers(false);
      for (const expected of summaries) {
        await compare(expected, to);
        // Keeps the connection in use: PostgreSQL ends transactions that stay idle.
        await from.isEmpty();
      }
      return summaries;
    });
  });
}

async function copyTable(table: keyof typeof TABLES, from: MovingRecords, to: MovingRecords): Promise<TableSummary> {
  if (FILLED_BY_TRIGGERS.includes(table)) await to.clear([table]);
  const digest = new RowDigest();
  for await (const rows of from.rows(table)) {
    digest.add(rows);
    try {
      await to.append(table, rows);
    } catch (cause) {
      throw new MovingError(`table ${table}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
  return digest.summary(table);
}

async function compare({ table, rows, sha256 }: TableSummary, to: MovingRecords): Promise<void> {
  const kept = await to.summary(table as keyof typeof TABLES);
  if (kept.rows !== rows) throw new MovingError(`table ${table}: ${rows} rows were copied, and ${kept.rows} are there`);
  if (kept.sha256 !== sha256) throw new MovingError(`table ${table}: the copy differs`);
}
