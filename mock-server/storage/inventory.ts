import type { Kysely, Selectable } from "kysely";
import { AttributeIndexRecords, type AttributeName, type NamedKey } from "./attribute-index.ts";
import { type IndexedValue, keysOf } from "./attribute-keys.ts";
import { DeviceTextRecords, deviceText } from "./device-texts.ts";
import { isPostgres } from "./engines/dialect.ts";
import { portions } from "./paging.ts";
import { Prepared, variants } from "./prepared.ts";
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

const OF_DEVICE = new Prepared<{ deviceId: string }, AttributeRecord>((db, value) =>
  db.selectFrom("inventory_attributes").selectAll().where("device_id", "=", value("deviceId")),
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

const INSERT = variants(
  (count: number) =>
    new Prepared<Values, unknown>((db, value) =>
      insertion(
        db,
        Array.from(
          { length: count },
          (_, row) =>
            Object.fromEntries(COLUMNS.map((column) => [column, value(`${column} ${row}`)])) as AttributeRecord,
        ),
      ),
    ),
);

function valuesOf(attributes: readonly AttributeRecord[]): Values {
  const values: Values = {};
  for (const [row, attribute] of attributes.entries()) {
    for (const column of COLUMNS) values[`${column} ${row}`] = attribute[column];
  }
  return values;
}

const REPORTED = new Prepared<{ deviceId: string; ms: number }, unknown>((db, value) =>
  db
    .updateTable("devices")
    .set({ attributes_ms: value("ms") })
    .where("id", "=", value("deviceId")),
);

/** One event per report, not per attribute. */
const CHANGED = new Prepared<{ deviceId: string }, unknown>((db, value) =>
  db
    .insertInto(isPostgres(db) ? "event_queue" : "events")
    .values({ kind: "inventory", action: "changed", subject: value("deviceId"), related: null, status: null }),
);

/** The stored attributes of devices. Writes keep the index over their values. */
export class InventoryRecords {
  readonly #db: Kysely<Schema>;
  readonly #index: AttributeIndexRecords;
  readonly #texts: DeviceTextRecords;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
    this.#index = new AttributeIndexRecords(db);
    this.#texts = new DeviceTextRecords(db);
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

  /** The attributes of devices with one of the names. */
  async named(
    deviceIds: readonly string[],
    names: readonly { readonly scope: Scope; readonly name: string }[],
  ): Promise<AttributeRecord[]> {
    const byScope = new Map<Scope, Set<string>>();
    for (const { scope, name } of names) {
      // No attribute has a NUL, and PostgreSQL cannot look for it.
      if (!name.includes("\0")) byScope.set(scope, (byScope.get(scope) ?? new Set()).add(name));
    }
    const found: AttributeRecord[] = [];
    for (const some of portions(deviceIds)) {
      for (const [scope, wanted] of byScope) {
        const query = this.#db.selectFrom("inventory_attributes").selectAll();
        found.push(
          ...(await query
            .where("device_id", "in", some)
            .where("scope", "=", scope)
            .where("name", "in", [...wanted])
            .execute()),
        );
      }
    }
    return found;
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

  /** Inserts attributes of one device, or replaces those of the same name. */
  put(attributes: readonly AttributeRecord[]): Promise<void> {
    return this.#write(attributes, () => false);
  }

  /**
   * As {@link put}; other attributes of the device in `scope` are removed. Most reports change few values: only these
   * are written, and the time of the others stays.
   * @param outdated An attribute of another scope that is removed too.
   */
  async replace(
    deviceId: string,
    scope: Scope,
    attributes: readonly AttributeRecord[],
    outdated?: AttributeName,
  ): Promise<void> {
    const isOutdated = (row: AttributeName) => row.scope === outdated?.scope && row.name === outdated.name;
    if (attributes.length > 0) return await this.#write(attributes, (row) => row.scope === scope || isOutdated(row));
    await this.clear(deviceId, scope);
    if (outdated !== undefined) await this.remove(deviceId, outdated.scope, outdated.name);
  }

  /** @param isReplaced Whether the device keeps this attribute only if it is among `attributes`. */
  async #write(attributes: readonly AttributeRecord[], isReplaced: (row: AttributeRecord) => boolean): Promise<void> {
    const [first] = attributes;
    if (first === undefined) return;
    const { device_id: deviceId } = first;
    const before = new Map((await OF_DEVICE.all(this.#db, { deviceId })).map((row) => [placeOf(row), row]));
    const changed = attributes.filter((attribute) => !isSame(before.get(placeOf(attribute)), attribute));
    const kept = new Set(attributes.map(placeOf));
    const gone = [...before.values()].filter((row) => isReplaced(row) && !kept.has(placeOf(row)));
    for (const { scope, name } of gone) await REMOVE.all(this.#db, { deviceId, scope, name });
    for (const some of portions(changed, 100)) {
      if (some.length > KEPT_MAX) await insertion(this.#db, some).execute();
      else await INSERT(some.length).all(this.#db, valuesOf(some));
    }
    const outdated = changed.flatMap((attribute) => before.get(placeOf(attribute)) ?? []);
    await this.#found(deviceId, [...before.values()], { removed: [...gone, ...outdated], added: changed });
    await REPORTED.all(this.#db, { deviceId, ms: Math.max(...attributes.map(({ updated_ms }) => updated_ms)) });
    await CHANGED.all(this.#db, { deviceId });
  }

  async remove(deviceId: string, scope: Scope, name: string): Promise<void> {
    const before = await OF_DEVICE.all(this.#db, { deviceId });
    const removed = before.filter((row) => row.scope === scope && row.name === name);
    if (removed.length === 0) return;
    await REMOVE.all(this.#db, { deviceId, scope, name });
    await this.#found(deviceId, before, { removed, added: [] });
  }

  async clear(deviceId: string, scope: Scope): Promise<void> {
    const before = await OF_DEVICE.all(this.#db, { deviceId });
    const removed = before.filter((row) => row.scope === scope);
    if (removed.length === 0) return;
    await CLEAR.all(this.#db, { deviceId, scope });
    await this.#found(deviceId, before, { removed, added: [] });
  }

  /** Brings up to date what the device is found by. */
  async #found(
    deviceId: string,
    before: readonly AttributeRecord[],
    { removed, added }: { readonly removed: readonly AttributeRecord[]; readonly added: readonly AttributeRecord[] },
  ): Promise<void> {
    if (removed.length === 0 && added.length === 0) return;
    await this.#index.change(deviceId, difference(removed, added));
    const after = [...before.filter((row) => !removed.includes(row)), ...added];
    if (deviceText(after) !== deviceText(before)) await this.#texts.put(deviceId, after);
  }

  /** Removes a device that is about to be deleted from the index. */
  async forget(deviceId: string): Promise<void> {
    await this.#index.change(deviceId, difference(await this.ofDevices([deviceId]), []));
  }
}

function placeOf({ scope, name }: AttributeRecord): string {
  return `${scope}/${name}`;
}

/** True if a report of `after` changes nothing. The time of a tag is shown: it is when the tag was last set. */
function isSame(before: AttributeRecord | undefined, after: AttributeRecord): boolean {
  return (
    before !== undefined &&
    before.value_json === after.value_json &&
    before.description === after.description &&
    (after.scope === "inventory" || before.updated_ms === after.updated_ms)
  );
}

/** The keys of the index that change with attributes. */
function difference(
  before: readonly AttributeRecord[],
  after: readonly AttributeRecord[],
): { readonly removed: readonly NamedKey[]; readonly added: readonly NamedKey[] } {
  const removed = namedKeys(before);
  const added = new Map<string, NamedKey>();
  for (const [id, key] of namedKeys(after)) if (!removed.delete(id)) added.set(id, key);
  return { removed: [...removed.values()], added: [...added.values()] };
}

function namedKeys(attributes: readonly AttributeRecord[]): Map<string, NamedKey> {
  return new Map(
    attributes.flatMap(({ scope, name, value_json }) =>
      keysOf(JSON.parse(value_json) as IndexedValue).map((key) => [
        JSON.stringify([scope, name, key]),
        { scope, name, key },
      ]),
    ),
  );
}
