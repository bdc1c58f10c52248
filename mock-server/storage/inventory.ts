import type { Kysely, Selectable } from "kysely";
import { portions } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { InventoryAttributeTable, Schema } from "./schema.ts";

export type AttributeRecord = Readonly<Selectable<InventoryAttributeTable>>;

type Scope = AttributeRecord["scope"];

const NAMES = new Prepared<{ deviceId: string; scope: Scope }, { readonly name: string }>((db, value) =>
  db
    .selectFrom("inventory_attributes")
    .select("name")
    .where("device_id", "=", value("deviceId"))
    .where("scope", "=", value("scope")),
);

const CLEAR = new Prepared<{ deviceId: string; scope: Scope }, unknown>((db, value) =>
  db.deleteFrom("inventory_attributes").where("device_id", "=", value("deviceId")).where("scope", "=", value("scope")),
);

const REMOVE = new Prepared<{ deviceId: string; scope: Scope; name: string }, unknown>((db, value) =>
  db
    .deleteFrom("inventory_attributes")
    .where("device_id", "=", value("deviceId"))
    .where("scope", "=", value("scope"))
    .where("name", "=", value("name")),
);

type Values = Record<string, AttributeRecord[keyof AttributeRecord]>;

const COLUMNS = ["device_id", "scope", "name", "value_json", "description", "updated_ms"] as const;
/** Up to this number of rows, each row count has its own prepared statement: the length of an inventory rarely changes. */
const KEPT_MAX = 20;
const puts = new Map<number, Prepared<Values, unknown>>();

function insertion(db: Kysely<Schema>, attributes: readonly AttributeRecord[]) {
  return db
    .insertInto("inventory_attributes")
    .values([...attributes])
    .onConflict((conflict) =>
      conflict.columns(["device_id", "scope", "name"]).doUpdateSet((eb) => ({
        value_json: eb.ref("excluded.value_json"),
        description: eb.ref("excluded.description"),
        updated_ms: eb.ref("excluded.updated_ms"),
      })),
    );
}

function keptInsertion(count: number): Prepared<Values, unknown> {
  const known = puts.get(count);
  if (known !== undefined) return known;
  const made = new Prepared<Values, unknown>((db, value) =>
    insertion(
      db,
      Array.from(
        { length: count },
        (_, row) => Object.fromEntries(COLUMNS.map((column) => [column, value(`${column} ${row}`)])) as AttributeRecord,
      ),
    ),
  );
  puts.set(count, made);
  return made;
}

function valuesOf(attributes: readonly AttributeRecord[]): Values {
  const values: Values = {};
  for (const [row, attribute] of attributes.entries()) {
    for (const column of COLUMNS) values[`${column} ${row}`] = attribute[column];
  }
  return values;
}

/** One event per report, not per attribute. */
const CHANGED = new Prepared<{ deviceId: string }, unknown>((db, value) =>
  db
    .insertInto("events")
    .values({ kind: "inventory", action: "changed", subject: value("deviceId"), related: null, status: null }),
);

/** The stored attributes of devices. */
export class InventoryRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Sorted by scope, then name. */
  ofDevices(deviceIds: readonly string[]): Promise<AttributeRecord[]> {
    if (deviceIds.length === 0) return Promise.resolve([]);
    return this.#db
      .selectFrom("inventory_attributes")
      .selectAll()
      .where("device_id", "in", deviceIds)
      .orderBy("scope")
      .orderBy("name")
      .execute();
  }

  /** The attributes of a sample of devices with their counts, the most frequent first. */
  async names(
    deviceLimit: number,
    limit: number,
  ): Promise<{ readonly scope: Scope; readonly name: string; readonly count: number }[]> {
    const rows = await this.#db
      .selectFrom("inventory_attributes")
      .select((eb) => ["scope", "name", eb.fn.countAll<number>().as("count")])
      .where("device_id", "in", (eb) =>
        eb
          .selectFrom((inner) => inner.selectFrom("devices").select("id").orderBy("id").limit(deviceLimit).as("sample"))
          .select("id"),
      )
      .groupBy(["scope", "name"])
      .orderBy("count", "desc")
      .orderBy("scope")
      .orderBy("name")
      .limit(limit)
      .execute();
    return rows.map(({ scope, name, count }) => ({ scope, name, count: Number(count) }));
  }

  /**
   * The values of one attribute, as JSON, with the number of devices.
   * @param range Exclusive and inclusive bounds of the ids.
   */
  async valuesIn(
    scope: Scope,
    name: string,
    range: { readonly after: string; readonly upTo: string | undefined },
  ): Promise<{ readonly value_json: string; readonly count: number }[]> {
    let query = this.#db
      .selectFrom("inventory_attributes")
      .select((eb) => ["value_json", eb.fn.countAll<number>().as("count")])
      .where("device_id", ">", range.after)
      .where("scope", "=", scope)
      .where("name", "=", name);
    if (range.upTo !== undefined) query = query.where("device_id", "<=", range.upTo);
    const rows = await query.groupBy("value_json").execute();
    return rows.map(({ value_json, count }) => ({ value_json, count: Number(count) }));
  }

  async namesOf(deviceId: string, scope: Scope): Promise<string[]> {
    return (await NAMES.all(this.#db, { deviceId, scope })).map(({ name }) => name);
  }

  /** Inserts or replaces attributes. */
  async put(attributes: readonly AttributeRecord[]): Promise<void> {
    for (const some of portions(attributes, 100)) {
      if (some.length > KEPT_MAX) await insertion(this.#db, some).execute();
      else await keptInsertion(some.length).all(this.#db, valuesOf(some));
    }
    for (const deviceId of new Set(attributes.map(({ device_id }) => device_id)))
      await CHANGED.all(this.#db, { deviceId });
  }

  async remove(deviceId: string, scope: Scope, name: string): Promise<void> {
    await REMOVE.all(this.#db, { deviceId, scope, name });
  }

  async clear(deviceId: string, scope: Scope): Promise<void> {
    await CLEAR.all(this.#db, { deviceId, scope });
  }
}
