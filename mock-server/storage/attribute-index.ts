import { type Kysely, type RawBuilder, sql } from "kysely";
import { FIRST_OWN_KEY, KEY_KINDS, type KeyRange, type KeySpan, wholeKind } from "./attribute-keys.ts";
import { mentions } from "./device-texts.ts";
import { portions, type SortOrder } from "./paging.ts";
import { Prepared, variants } from "./prepared.ts";
import type { InventoryAttributeTable, Schema } from "./schema.ts";
import { pipeline, Statement } from "./statement.ts";

export interface AttributeName {
  readonly scope: InventoryAttributeTable["scope"];
  readonly name: string;
}

/** An attribute that the index knows. */
export interface IndexedName {
  /** Of its entries. */
  readonly id: number;
  /** Some texts have shortened keys. */
  readonly hasCutTexts: boolean;
  /** Some lists have no keys of their elements. */
  readonly hasLongLists: boolean;
  readonly hasLists: boolean;
}

/** A condition that a probe answers: the device has one of the keys, or the attribute at all, or mentions the text. */
export type Probe = ({ readonly nameId: number; readonly keys: readonly string[] } | AttributeName | Mentioned) & {
  /** True: the device has none. */
  readonly isNegated: boolean;
};

interface Mentioned {
  readonly text: string;
}

/** The name of the sequence that numbers the attributes. */
const SEQUENCE = "attribute_names";
/** Keys per statement. */
const KEYS_AT_ONCE = 500;

/** Up to this number of rows, each has its own prepared statement: a report rarely changes many values. */
const KEPT_MAX = 20;
const REMOVED_SINGLY_MAX = 5;

type Values = Record<string | number, string | number>;

function namesAmong(db: Kysely<Schema>, scope: AttributeName["scope"], names: readonly string[]) {
  return db.selectFrom("attribute_names").select(["id", "name"]).where("scope", "=", scope).where("name", "in", names);
}

const NAMES = variants(
  (count: number) =>
    new Prepared<Values, { readonly id: number; readonly name: string }>((db, value) =>
      namesAmong(
        db,
        value("scope") as AttributeName["scope"],
        Array.from({ length: count }, (_, at) => value(at) as string),
      ),
    ),
);

interface Entry {
  readonly name_id: number;
  readonly key: string;
}

function valuesOf(device_id: string, entries: readonly Entry[]): Values {
  const values: Values = { device_id };
  for (const [at, { name_id, key }] of entries.entries()) {
    values[`name ${at}`] = name_id;
    values[`key ${at}`] = key;
  }
  return values;
}

const ADD = variants(
  (count: number) =>
    new Prepared<Values, unknown>((db, value) =>
      db.insertInto("attribute_values").values(
        Array.from({ length: count }, (_, at) => ({
          name_id: value(`name ${at}`) as number,
          key: value(`key ${at}`) as string,
          device_id: value("device_id") as string,
        })),
      ),
    ),
);

const REMOVE = new Prepared<Entry & { device_id: string }, unknown>((db, value) =>
  db
    .deleteFrom("attribute_values")
    .where("name_id", "=", value("name_id"))
    .where("key", "=", value("key"))
    .where("device_id", "=", value("device_id")),
);

/**
 * The index over the values of attributes. The transaction that writes an attribute writes its keys too (see
 * attribute-keys.ts).
 */
export class AttributeIndexRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** @returns `undefined` if no device ever had the attribute. */
  async find({ scope, name }: AttributeName): Promise<IndexedName | undefined> {
    const has = (range: KeyRange) => sql<number>`(case when exists (
      select 1 from attribute_values where name_id = attribute_names.id and ${within(range)}) then 1 else 0 end)`;
    const row = await this.#db
      .selectFrom("attribute_names")
      .select([
        "id",
        has({ key: KEY_KINDS.cut }).as("cut"),
        has({ key: KEY_KINDS.many }).as("many"),
        has(wholeKind(KEY_KINDS.list)).as("lists"),
      ])
      .where("scope", "=", scope)
      .where("name", "=", name)
      .executeTakeFirst();
    return row && { id: row.id, hasCutTexts: row.cut === 1, hasLongLists: row.many === 1, hasLists: row.lists === 1 };
  }

  /** The number of devices with one of the keys. @param max Counting ends there. */
  async count(nameId: number, ranges: readonly KeyRange[], max?: number): Promise<number> {
    if (ranges.length === 0) return 0;
    // A device has one lower-case key of an attribute, but any number of the others.
    const own = ranges.filter((range) => start(range) >= FIRST_OWN_KEY);
    const others = ranges.filter((range) => start(range) < FIRST_OWN_KEY);
    const limit = max === undefined ? sql`` : sql`limit ${sql.lit(max)}`;
    const counted = (some: readonly KeyRange[], column: RawBuilder<unknown>) =>
      some.length === 0
        ? sql`0`
        : sql`(select count(${column}) from (select device_id from (${entries(nameId, some)}) as entries ${limit}) as found)`;
    const { rows } = await sql<{ count: number }>`
      select ${counted(own, sql`*`)} + ${counted(others, sql`distinct device_id`)} as count`.execute(this.#db);
    return Number(rows[0]?.count ?? 0);
  }

  /** The ids of the devices with one of the keys, sorted. */
  async devices(
    nameId: number,
    ranges: readonly KeyRange[],
    part: { readonly after?: string; readonly limit?: number; readonly offset?: number } = {},
  ): Promise<string[]> {
    if (ranges.length === 0) return [];
    const { after = "", limit, offset = 0 } = part;
    const only = limit === undefined ? sql`` : sql`limit ${sql.lit(limit)} offset ${sql.lit(offset)}`;
    const { rows } = await sql<{ id: string }>`
      select ${ranges.length === 1 && "key" in (ranges[0] ?? {}) ? sql`` : sql`distinct`} device_id as id
      from (${entries(nameId, ranges, after)}) as entries
      order by device_id ${only}`.execute(this.#db);
    return rows.map(({ id }) => id);
  }

  /** The names of the attributes of a scope that a device has or had. */
  async names(scope: AttributeName["scope"]): Promise<string[]> {
    const rows = await this.#db.selectFrom("attribute_names").select("name").where("scope", "=", scope).execute();
    return rows.map(({ name }) => name);
  }

  /** The devices with a key of a kind, in the order of the keys and then of the ids, and the number of all of them. */
  async inOrder(
    nameId: number,
    kind: string,
    order: SortOrder,
    { limit, offset }: { readonly limit: number; readonly offset: number },
  ): Promise<{ readonly ids: readonly string[]; readonly count: number }> {
    const { from, before } = wholeKind(kind);
    const all = this.#db
      .selectFrom("attribute_values")
      .where("name_id", "=", nameId)
      .where("key", ">=", from)
      .where("key", "<", before);
    const count = await this.count(nameId, [wholeKind(kind)]);
    if (offset >= count) return { ids: [], count };
    const rows = await all
      .select("device_id")
      .orderBy("key", order)
      .orderBy("device_id")
      .limit(limit)
      .offset(offset)
      .execute();
    return { ids: rows.map(({ device_id }) => device_id), count };
  }

  /** Different keys in order, each with the number of devices. @param after The last key before; empty: from the first. */
  async keys(
    nameId: number,
    span: KeySpan,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<{ readonly key: string; readonly count: number }[]> {
    const rows = await this.#db
      .selectFrom("attribute_values")
      .select((eb) => ["key", eb.fn.countAll<number>().as("count")])
      .where("name_id", "=", nameId)
      .where("key", after === "" ? ">=" : ">", after === "" ? span.from : after)
      .where("key", "<", span.before)
      .groupBy("key")
      .orderBy("key")
      .limit(limit)
      .execute();
    return rows.map(({ key, count }) => ({ key, count: Number(count) }));
  }

  /** Writes the keys of one device: those in `added`, and no longer those in `removed`. */
  async change(
    deviceId: string,
    { removed, added }: { readonly removed: readonly NamedKey[]; readonly added: readonly NamedKey[] },
  ): Promise<void> {
    if (removed.length === 0 && added.length === 0) return;
    const ids = await this.#ids([...removed, ...added], added);
    const rows = (keys: readonly NamedKey[]): Entry[] =>
      keys.flatMap(({ scope, name, key }) => {
        const id = ids.get(nameKey({ scope, name }));
        return id === undefined ? [] : [{ name_id: id, key }];
      });
    await pipeline([...this.#removal(deviceId, rows(removed)), ...this.#insertion(deviceId, rows(added))]);
  }

  #removal(deviceId: string, entries: readonly Entry[]): Statement<unknown>[] {
    if (entries.length <= REMOVED_SINGLY_MAX) {
      return entries.map((entry) => REMOVE.statement(this.#db, { ...entry, device_id: deviceId }));
    }
    return [...portions(entries, KEYS_AT_ONCE)].map((some) => {
      const values = some.map(({ name_id, key }) => sql`(${sql.lit(name_id)}, ${key}, ${deviceId})`);
      const query = sql`
        delete from attribute_values where (name_id, key, device_id) in (values ${sql.join(values)})`;
      return new Statement(this.#db, query.compile(this.#db), () => undefined);
    });
  }

  #insertion(deviceId: string, entries: readonly Entry[]): Statement<unknown>[] {
    return [...portions(entries, KEYS_AT_ONCE)].map((some) => {
      if (some.length <= KEPT_MAX) return ADD(some.length).statement(this.#db, valuesOf(deviceId, some));
      const query = this.#db
        .insertInto("attribute_values")
        .values(some.map((one) => ({ ...one, device_id: deviceId })));
      return new Statement(this.#db, query.compile(), () => undefined);
    });
  }

  /** The ids of the names; those in `created` get one if they have none. */
  async #ids(names: readonly AttributeName[], created: readonly AttributeName[]): Promise<Map<string, number>> {
    const ids = await this.#known(names);
    const missing = new Map(created.map((one) => [nameKey(one), one]));
    for (const known of ids.keys()) missing.delete(known);
    if (missing.size === 0) return ids;
    const { rows } = await sql<{ value: number }>`
      insert into sequences (name, value) values (${SEQUENCE}, ${missing.size})
      on conflict (name) do update set value = sequences.value + excluded.value
      returning value`.execute(this.#db);
    // Another transaction may have created them before it let the sequence go.
    for (const [key, id] of await this.#known([...missing.values()])) {
      ids.set(key, id);
      missing.delete(key);
    }
    let id = Number(rows[0]?.value ?? 0) - missing.size;
    const values = [...missing.values()].map(({ scope, name }) => {
      id += 1;
      ids.set(nameKey({ scope, name }), id);
      return { id, scope, name };
    });
    for (const some of portions(values)) {
      await this.#db
        .insertInto("attribute_names")
        .values([...some])
        .execute();
    }
    return ids;
  }

  async #known(names: readonly AttributeName[]): Promise<Map<string, number>> {
    const byScope = new Map<AttributeName["scope"], Set<string>>();
    for (const { scope, name } of names) byScope.set(scope, (byScope.get(scope) ?? new Set()).add(name));
    const ids = new Map<string, number>();
    for (const [scope, wanted] of byScope) {
      for (const some of portions([...wanted], KEYS_AT_ONCE)) {
        const rows =
          some.length > KEPT_MAX
            ? await namesAmong(this.#db, scope, some).execute()
            : await NAMES(some.length).all(this.#db, { scope, ...Object.fromEntries(some.entries()) });
        for (const { id, name } of rows) ids.set(nameKey({ scope, name }), id);
      }
    }
    return ids;
  }
}

export interface NamedKey extends AttributeName {
  readonly key: string;
}

function nameKey({ scope, name }: AttributeName): string {
  return `${scope}/${name}`;
}

function start(range: KeyRange): string {
  return "key" in range ? range.key : range.from;
}

function within(range: KeyRange): RawBuilder<boolean> {
  return "key" in range ? sql`key = ${range.key}` : sql`key >= ${range.from} and key < ${range.before}`;
}

/** The entries of an attribute with one of the keys. */
function entries(nameId: number, ranges: readonly KeyRange[], after = ""): RawBuilder<unknown> {
  const beyond = after === "" ? sql`` : sql`and device_id > ${after}`;
  const one = (condition: RawBuilder<unknown>) =>
    sql`select device_id from attribute_values where name_id = ${sql.lit(nameId)} and ${condition} ${beyond}`;
  const keys = ranges.flatMap((range) => ("key" in range ? [range.key] : []));
  const listed = keys.length > 1 ? [sql`key in (${sql.join(keys)})`] : keys.map((key) => sql`key = ${key}`);
  const conditions = [...listed, ...ranges.filter((range) => !("key" in range)).map(within)];
  return sql.join(conditions.map(one), sql` union all `);
}

/** The condition that the device `id` meets the probe. */
export function probed(probe: Probe, id: RawBuilder<unknown>): RawBuilder<boolean> {
  const has = sql`exists (${entryOf(probe, id)})`;
  return probe.isNegated ? sql`not ${has}` : sql`${has}`;
}

function entryOf(probe: Probe, id: RawBuilder<unknown>): RawBuilder<unknown> {
  if ("text" in probe) return sql`select 1 from device_texts where device_id = ${id} and ${mentions(probe.text)}`;
  if ("keys" in probe) {
    const { nameId, keys } = probe;
    return sql`select 1 from attribute_values
      where name_id = ${sql.lit(nameId)} and key in (${sql.join(keys)}) and device_id = ${id}`;
  }
  return sql`select 1 from inventory_attributes
    where device_id = ${id} and scope = ${probe.scope} and name = ${probe.name}`;
}
