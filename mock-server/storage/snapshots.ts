import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** Rows of any table, as opaque columns. */
type Row = Readonly<Record<string, string | number | null>>;
type AnyTables = Record<string, Record<string, string | number | null>>;

/**
 * What a snapshot holds: every table but the server's secrets, which the running program has in its memory,
 * the events, which go on: that the records were put back is one of the things that happened; the counts of
 * devices, which the database counts again as they come and go; and when the running servers could hear devices.
 */
type KeptTable = Exclude<keyof Schema, "secrets" | "events" | "device_counts" | "server_uptime">;

/** In an order in which a row comes after those that it refers to. */
const TABLES = Object.keys({
  sequences: true,
  devices: true,
  auth_sets: true,
  inventory_attributes: true,
  users: true,
  settings: true,
  limits: true,
  sessions: true,
  artifacts: true,
  artifact_values: true,
  artifact_combinations: true,
  deployments: true,
  deployment_counters: true,
  deployment_phases: true,
  device_deployments: true,
  device_deployment_attempts: true,
  deployment_logs: true,
  saved_filters: true,
  device_configurations: true,
  release_notes: true,
  release_tags: true,
  group_ends: true,
} satisfies Readonly<Record<KeptTable, true>>);

/** Bound values in one statement: fewer than either engine takes. */
const VALUES_MAX = 8000;

/** The records as they were at one moment, in memory. */
export interface Snapshot {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  /** Artifacts whose bytes belong to the records. */
  readonly artifactIds: readonly string[];
}

/** All tables at once, copied and put back. */
export class TableRecords {
  readonly #db: Kysely<AnyTables>;

  constructor(db: Kysely<Schema>) {
    this.#db = db.withTables<AnyTables>() as unknown as Kysely<AnyTables>;
  }

  async copy(): Promise<Snapshot["tables"]> {
    const tables: Record<string, readonly Row[]> = {};
    for (const table of TABLES) tables[table] = await this.#db.selectFrom(table).selectAll().execute();
    return tables;
  }

  async replace(tables: Snapshot["tables"]): Promise<void> {
    for (const table of TABLES.toReversed()) await this.#db.deleteFrom(table).execute();
    for (const table of TABLES) await this.#insert(table, tables[table] ?? []);
  }

  async #insert(table: string, rows: readonly Row[]): Promise<void> {
    const atOnce = Math.max(1, Math.floor(VALUES_MAX / Object.keys(rows[0] ?? {}).length));
    for (let start = 0; start < rows.length; start += atOnce) {
      await this.#db
        .insertInto(table)
        .values(rows.slice(start, start + atOnce).map((row) => ({ ...row })))
        .execute();
    }
  }
}

/** Takes the records back to where they were. For tests: everything is held in memory. */
export class Snapshots {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async take(): Promise<Snapshot> {
    const tables = await this.#storage.read((records) => records.tables.copy());
    const artifacts = (tables.artifacts ?? []).filter(({ removed_ms }) => removed_ms === null);
    return { tables, artifactIds: artifacts.map(({ id }) => String(id)) };
  }

  /** All or nothing. Followers of the events are told of every row that was removed or added. */
  restore({ tables }: Snapshot): Promise<void> {
    return this.#storage.transaction((records) => records.tables.replace(tables));
  }
}
