import { type Kysely, type Migration, sql } from "kysely";
import { createRowTrigger, isPostgres } from "./triggers.ts";

/** Rows of a table whose changes are events. `row` stands for the row as it is, or was before it was deleted. */
interface Watched {
  readonly table: string;
  readonly kind: string;
  readonly subject: string;
  readonly related?: string;
  readonly status?: string;
  /** Columns whose change is an event; absent: a row never changes, or its changes are no events. */
  readonly changes?: readonly string[];
  /** Condition on `row`. */
  readonly when?: string;
}

/** How many events are kept. */
const KEPT = 100_000;
/** The table is trimmed once per this many events. */
const TRIMMED_EVERY = 1000;

const WATCHED: readonly Watched[] = [
  {
    table: "devices",
    kind: "device",
    subject: "id",
    status: "status",
    changes: ["status", "group_name", "tags_etag"],
  },
  { table: "auth_sets", kind: "auth_set", subject: "id", related: "device_id", status: "status", changes: ["status"] },
  { table: "artifacts", kind: "artifact", subject: "id", related: "name", changes: ["description", "removed_ms"] },
  { table: "release_notes", kind: "release", subject: "release_name", changes: ["notes"] },
  { table: "release_tags", kind: "release", subject: "release_name" },
  {
    table: "deployments",
    kind: "deployment",
    subject: "id",
    status: "status",
    changes: ["status", "paused_ms", "update_control_map_json"],
  },
  {
    table: "device_deployments",
    kind: "device_deployment",
    subject: "deployment_id",
    related: "device_id",
    status: "status",
    changes: ["status", "substate", "attempt", "created_ms", "instructed_ms", "hidden_ms"],
    // Rows of devices that have not asked yet make no events: there may be a million, and the deployment has its own.
    when: "row.created_ms is not null",
  },
  {
    table: "deployment_logs",
    kind: "deployment_log",
    subject: "deployment_id",
    related: "device_id",
    changes: ["messages_json"],
  },
  { table: "saved_filters", kind: "filter", subject: "id", related: "name" },
  {
    table: "device_configurations",
    kind: "configuration",
    subject: "device_id",
    changes: ["configured_json", "reported_json", "deployment_id"],
  },
  { table: "users", kind: "user", subject: "id", changes: ["email", "role"] },
];

/** Everything that changes, in the order in which it was committed: written by the change itself. */
export const events: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db);
    for (const watched of WATCHED) {
      await createTrigger(db, watched, "insert", "created");
      if (watched.changes !== undefined) await createTrigger(db, watched, "update", "changed");
      await createTrigger(db, watched, "delete", "deleted");
    }
    await createTrimming(db);
  },
};

/** Numbers that were used are never used again, not even when the last event is trimmed. */
async function createTable(db: Kysely<unknown>): Promise<void> {
  const number = isPostgres(db)
    ? "bigint generated always as identity primary key"
    : "integer primary key autoincrement";
  await sql
    .raw(
      `create table events (
        number ${number}, kind text not null, action text not null,
        subject text not null, related text, status text)`,
    )
    .execute(db);
}

async function createTrigger(
  db: Kysely<unknown>,
  { table, kind, subject, related, status, changes = [], when }: Watched,
  operation: "insert" | "update" | "delete",
  action: string,
): Promise<void> {
  const row = operation === "delete" ? "old" : "new";
  const column = (name: string | undefined): string => (name === undefined ? "null" : `${row}.${name}`);
  const conditions = [
    ...(when === undefined ? [] : [when.replaceAll("row.", `${row}.`)]),
    ...(operation === "update" ? [changes.map((name) => `old.${name} is distinct from new.${name}`).join(" or ")] : []),
  ];
  const condition = conditions.length === 0 ? undefined : conditions.map((one) => `(${one})`).join(" and ");
  const statements = `insert into events (kind, action, subject, related, status)
    values ('${kind}', '${action}', ${[subject, related, status].map(column).join(", ")});`;
  const of = operation === "update" ? `update of ${changes.join(", ")}` : operation;
  await createRowTrigger(db, { name: `event_of_${table}_${operation}`, of, table, condition, statements });
}

async function createTrimming(db: Kysely<unknown>): Promise<void> {
  await createRowTrigger(db, {
    name: "events_trim",
    of: "insert",
    table: "events",
    condition: `new.number % ${TRIMMED_EVERY} = 0`,
    statements: `delete from events where number <= new.number - ${KEPT};`,
  });
}
