import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";
import type { Storage } from "./storage.ts";

/** Rows of any table, as opaque columns. */
type Row = Readonly<Record<string, string | number | null>>;
type AnyTables = Record<string, Record<string, string | number | null>>;

/**
 * The tables of a snapshot. Left out are the secrets, which the running server has in memory; the events, which go on
 * and record the restoration; the counts of devices, which triggers maintain; the uptime of servers; and the indexes of
 * artifacts, which are made again.
 */
type KeptTable = Exclude<
  keyof Schema,
  "secrets" | "events" | "event_queue" | "device_counts" | "server_uptime" | "artifact_indexes"
>;

/** Ordered so that rows come after the rows that they refer to. */
const TABLES = Object.keys({
  sequences: true,
  devices: true,
  auth_sets: true,
  inventory_attributes: true,
  device_texts: true,
  attribute_names: true,
  attribute_values: true,
  users: true,
  settings: true,
  limits: true,
  sessions: true,
  artifacts: true,
  artifact_values: true,
  artifact_combinations: true,
  deployments: true,
  deployment_preparations: true,
  deployment_counters: true,
  deployment_phases: true,
  deployment_places: true,
  counter_deltas: true,
  device_deployments: true,
  device_deployment_attempts: true,
  device_deployment_states: true,
  device_downloads: true,
  deployment_logs: true,
  saved_filters: true,
  device_configurations: true,
  release_notes: true,
  release_tags: true,
  group_ends: true,
} satisfies Readonly<Record<KeptTable, true>>);

/** Parameters per statement, below the limits of both engines. */
const VALUES_MAX = 8000;

/** A consistent copy of the records in memory. */
export interface Snapshot {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  /** Artifacts whose bytes belong to the records. */
  readonly artifactIds: readonly string[];
}

/** Copies and restores all tables. */
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

/** Takes and restores snapshots. For tests: everything is held in memory. */
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

  /** Atomic. The events contain every deleted and inserted row. */
  restore({ tables }: Snapshot): Promise<void> {
    return this.#storage.transaction((records) => records.tables.replace(tables));
  }
}
