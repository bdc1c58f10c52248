import type { CompiledQuery } from "kysely";

/** Tables whose rows several devices take, in the order in which the transaction of a device takes them (README.md). */
const SHARED: readonly string[] = ["deployment_places", "deployments", "deployment_phases", "sequences"];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Tables whose rows belong to one device, or that are only appended to: no device waits for another one there. */
const OWN: readonly string[] = [
  "attribute_names",
  "attribute_values",
  "counter_deltas",
  "deployment_logs",
  "device_configurations",
  "device_deployment_attempts",
  "device_deployment_states",
  "device_deployments",
  "device_downloads",
  "device_texts",
  "devices",
  "event_queue",
  "inventory_attributes",
];

const CHANGE = /^\s*(?:update|insert into|delete from)\s+"?(\w+)"?/i;
const LOCKING_READ = /\bfrom\s+"?(\w+)"?[^;]*\bfor (?:no key )?(?:update|share)\b/i;

/** The table of which a statement may lock rows that were there before. */
function lockedTable(sql: string): string | undefined {
  return (CHANGE.exec(sql) ?? LOCKING_READ.exec(sql))?.[1];
}

/** Checks the order in which the transaction of a device takes rows of several devices. For tests. */
export class LockOrder {
  #last: string | undefined;
  /** Rows that are held already: taking them again waits for nothing. */
  readonly #held = new Set<string>();
  #deployment: string | undefined;

  /** @throws Error if the statement takes a row out of order, or one of a table that has no place in it. */
  take({ sql, parameters }: Pick<CompiledQuery, "sql" | "parameters">): void {
    const table = lockedTable(sql);
    if (table === undefined || OWN.includes(table)) return;
    const place = SHARED.indexOf(table);
    if (place < 0) throw new Error(`the order of locks has no place for ${table}: ${sql}`);
    const deployment = parameters.find((one) => typeof one === "string" && UUID.test(one)) as string | undefined;
    const row = `${table} ${deployment}`;
    if (this.#held.has(row)) return;
    if (this.#last !== undefined && place < SHARED.indexOf(this.#last)) {
      throw new Error(`a row of ${table} is taken after one of ${this.#last}: ${sql}`);
    }
    if (deployment !== undefined && this.#deployment !== undefined && deployment !== this.#deployment) {
      throw new Error(`rows of two deployments are taken: ${sql}`);
    }
    this.#deployment = deployment ?? this.#deployment;
    this.#last = table;
    this.#held.add(row);
  }
}
