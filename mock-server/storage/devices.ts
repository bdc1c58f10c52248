import { given } from "@upkeep/shared/given";
import { type Kysely, type Selectable, type SelectQueryBuilder, sql } from "kysely";
import { type Probe, probed } from "./attribute-index.ts";
import { afterPrefix } from "./attribute-keys.ts";
import { InventoryRecords } from "./inventory.ts";
import { offsetOf, type Page, type Paging, portions } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { DeviceStatus, DeviceTable, DeviceTier, Schema } from "./schema.ts";

export type DeviceRecord = Readonly<Selectable<DeviceTable>>;

/** Restricts devices; absent properties do not restrict. */
export interface DeviceNarrowing {
  readonly ids?: readonly string[];
  readonly status?: DeviceStatus;
  readonly group?: string;
}

/** Restricts devices by status and group; absent properties do not restrict. */
interface DeviceKinds {
  readonly statuses?: readonly DeviceStatus[] | undefined;
  readonly group?: string | undefined;
}

type DeviceQuery = SelectQueryBuilder<Schema, "devices", unknown>;

const DEVICE = new Prepared<{ id: string }, DeviceRecord>((db, value) =>
  db.selectFrom("devices").selectAll().where("id", "=", value("id")),
);

const BY_IDENTITY = new Prepared<{ identitySha256: string }, DeviceRecord>((db, value) =>
  db.selectFrom("devices").selectAll().where("identity_sha256", "=", value("identitySha256")),
);

const INSERT = new Prepared<DeviceRecord, unknown>((db, value) =>
  db.insertInto("devices").values({
    id: value("id"),
    identity_sha256: value("identity_sha256"),
    identity_json: value("identity_json"),
    status: value("status"),
    tier: value("tier"),
    created_ms: value("created_ms"),
    updated_ms: value("updated_ms"),
    check_in_ms: value("check_in_ms"),
    group_name: value("group_name"),
    tags_etag: value("tags_etag"),
    contact_ms: value("contact_ms"),
    attributes_ms: value("attributes_ms"),
  }),
);

type Standing = Pick<DeviceRecord, "status" | "tier">;

const SET_STANDING = new Prepared<Standing & { id: string; nowMs: number }, unknown>((db, value) =>
  db
    .updateTable("devices")
    .set({ status: value("status"), tier: value("tier"), updated_ms: value("nowMs") })
    .where("id", "=", value("id")),
);

const CHECK_IN = new Prepared<{ id: string; nowMs: number }, unknown>((db, value) =>
  db
    .updateTable("devices")
    .set({ check_in_ms: value("nowMs") })
    .where("id", "=", value("id")),
);

/** Devices that have requested authorisation, or were preauthorized. */
export class DeviceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<DeviceRecord | undefined> {
    return DEVICE.first(this.#db, { id });
  }

  findByIdentity(identitySha256: string): Promise<DeviceRecord | undefined> {
    return BY_IDENTITY.first(this.#db, { identitySha256 });
  }

  /** Sorted by status, then id. */
  async list(
    filter: { readonly statuses?: readonly DeviceStatus[]; readonly ids?: readonly string[] },
    paging: Paging,
  ): Promise<Page<DeviceRecord>> {
    let query = this.#db.selectFrom("devices");
    if (filter.statuses !== undefined) query = query.where("status", "in", filter.statuses);
    if (filter.ids !== undefined) query = query.where("id", "in", filter.ids);
    const items = await query
      .selectAll()
      .orderBy("status")
      .orderBy("id")
      .limit(paging.perPage)
      .offset(offsetOf(paging))
      .execute();
    return { items, total: await this.#total(query, filter) };
  }

  /** The next `limit` devices after an id, in the order of ids. */
  async after(narrowing: DeviceNarrowing, id: string, limit: number): Promise<DeviceRecord[]> {
    const found: DeviceRecord[] = [];
    const wanted = narrowing.ids === undefined ? [undefined] : portions([...new Set(narrowing.ids)].sort());
    for (const ids of wanted) {
      const query = this.#narrowed({ ...narrowing, ...given({ ids }) }).where("id", ">", id);
      found.push(
        ...(await query
          .selectAll()
          .orderBy("id")
          .limit(limit - found.length)
          .execute()),
      );
      if (found.length >= limit) break;
    }
    return found;
  }

  /** As {@link after}, the ids alone. */
  async idsAfter(narrowing: DeviceNarrowing, id: string, limit: number, offset = 0): Promise<string[]> {
    let query = this.#narrowed(narrowing).select("id").orderBy("id").limit(limit);
    if (id !== "") query = query.where("id", ">", id);
    if (offset > 0) query = query.offset(offset);
    return (await query.execute()).map((row) => row.id);
  }

  async idsWithPrefix(prefix: string, limit: number): Promise<string[]> {
    const before = afterPrefix(prefix);
    let query = this.#db.selectFrom("devices").select("id").where("id", ">=", prefix);
    if (before !== undefined) query = query.where("id", "<", before);
    return (await query.limit(limit).execute()).map(({ id }) => id);
  }

  /** The devices among `ids`, sorted by id, that meet all conditions. */
  async meeting(
    ids: readonly string[],
    narrowing: Omit<DeviceNarrowing, "ids">,
    probes: readonly Probe[],
  ): Promise<string[]> {
    const found: string[] = [];
    for (const some of portions(ids)) {
      let query = this.#narrowed({ ...narrowing, ids: some });
      for (const probe of probes) query = query.where(probed(probe, sql`devices.id`));
      for (const { id } of await query.select("id").orderBy("id").execute()) found.push(id);
    }
    return found;
  }

  /** The number of devices. `ids` count as often as they are there. */
  async countNarrowed({ ids, status, group }: DeviceNarrowing): Promise<number> {
    const count = await this.#countOf({ statuses: status && [status], group });
    return ids === undefined ? count : Math.min(ids.length, count);
  }

  /** The `count`-th id after an id, in the order of ids; `undefined` beyond the end. */
  async nthAfter(narrowing: DeviceNarrowing, id: string, count: number): Promise<string | undefined> {
    const row = await this.#narrowed(narrowing)
      .select("id")
      .where("id", ">", id)
      .orderBy("id")
      .limit(1)
      .offset(count - 1)
      .executeTakeFirst();
    return row?.id;
  }

  /** By id. */
  async page(narrowing: DeviceNarrowing, paging: Paging): Promise<Page<DeviceRecord>> {
    const query = this.#narrowed(narrowing);
    const items = await query.selectAll().orderBy("id").limit(paging.perPage).offset(offsetOf(paging)).execute();
    const { ids, status, group } = narrowing;
    return { items, total: await this.#total(query, { ids, statuses: status && [status], group }) };
  }

  #narrowed({ ids, status, group }: DeviceNarrowing) {
    let query = this.#db.selectFrom("devices");
    if (ids !== undefined) query = query.where("id", "in", ids);
    if (status !== undefined) query = query.where("status", "=", status);
    if (group !== undefined) query = query.where("group_name", "=", group);
    return query;
  }

  /** Names of static groups, sorted. @param status Only of those with such a member. */
  async groups(status: DeviceStatus | undefined): Promise<string[]> {
    const ofStatus =
      status === undefined
        ? sql``
        : sql`and exists (select 1 from devices where group_name = named.name and status = ${status})`;
    // Jumps from name to name through the index, instead of reading all members.
    const { rows } = await sql<{ name: string }>`
      with recursive named (name) as (
        select min(group_name) from devices
        union all
        select (select min(group_name) from devices where group_name > named.name) from named where named.name is not null
      )
      select name from named
      where name is not null and not exists (select 1 from group_ends where group_ends.name = named.name) ${ofStatus}
      order by name`.execute(this.#db);
    return rows.map(({ name }) => name);
  }

  /** The groups of the devices that exist among `ids`. */
  async groupsOf(ids: readonly string[]): Promise<Pick<DeviceRecord, "id" | "group_name">[]> {
    const found: Pick<DeviceRecord, "id" | "group_name">[] = [];
    for (const some of portions(ids)) {
      found.push(
        ...(await this.#db.selectFrom("devices").select(["id", "group_name"]).where("id", "in", some).execute()),
      );
    }
    return found;
  }

  async setGroup(ids: readonly string[], group: string | null): Promise<void> {
    for (const some of portions(ids)) {
      await this.#db.updateTable("devices").set({ group_name: group }).where("id", "in", some).execute();
    }
  }

  /**
   * @param range Exclusive and inclusive bounds of the ids. Default: all.
   * @returns The number of removed members.
   */
  async clearGroup(
    group: string,
    range?: { readonly after: string; readonly upTo: string | undefined },
  ): Promise<number> {
    let query = this.#db.updateTable("devices").set({ group_name: null }).where("group_name", "=", group);
    if (range !== undefined) query = query.where("id", ">", range.after);
    if (range?.upTo !== undefined) query = query.where("id", "<=", range.upTo);
    return Number((await query.executeTakeFirst()).numUpdatedRows);
  }

  /** Marks the group as deleted, before its members leave it. */
  async endGroup(name: string): Promise<void> {
    await this.#db
      .insertInto("group_ends")
      .values({ name })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Deleted groups that may still have members. */
  async endedGroups(): Promise<string[]> {
    return (await this.#db.selectFrom("group_ends").select("name").execute()).map(({ name }) => name);
  }

  async isEndedGroup(name: string): Promise<boolean> {
    const query = this.#db.selectFrom("group_ends").select("name").where("name", "=", name);
    return (await query.executeTakeFirst()) !== undefined;
  }

  /** Frees the name of a deleted group without members. */
  async forgetEndedGroup(name: string): Promise<void> {
    await this.#db.deleteFrom("group_ends").where("name", "=", name).execute();
  }

  async setTagsEtag(id: string, etag: string): Promise<void> {
    await this.#db.updateTable("devices").set({ tags_etag: etag }).where("id", "=", id).execute();
  }

  async count(status: DeviceStatus | undefined): Promise<number> {
    return await this.#countOf({ statuses: status && [status] });
  }

  /** The number of devices of each status and tier; those without devices are left out. */
  async countsByTier(): Promise<{ status: DeviceStatus; tier: DeviceTier; count: number }[]> {
    const rows = await this.#db
      .selectFrom("device_counts")
      .select((eb) => ["status", "tier", eb.fn.sum<number>("count").as("count")])
      .groupBy(["status", "tier"])
      .execute();
    return rows.map((row) => ({ ...row, count: Number(row.count) }));
  }

  /** The number of devices by status, tier or group; those without a group are left out. */
  async countsBy(column: "status" | "tier" | "group_name"): Promise<{ value: string; count: number }[]> {
    const rows = await this.#db
      .selectFrom("device_counts")
      .select((eb) => [eb.ref(column).as("value"), eb.fn.sum<number>("count").as("count")])
      .where(column, "<>", "")
      .groupBy(column)
      .execute();
    return rows.map(({ value, count }) => ({ value, count: Number(count) }));
  }

  /** The number of rows of a query: taken from the counters, unless ids restrict it. */
  async #total(query: DeviceQuery, { ids, ...kinds }: DeviceKinds & { ids?: readonly string[] | undefined }) {
    if (ids === undefined) return await this.#countOf(kinds);
    const row = await query.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** Reads the counters, which triggers maintain, and no device. */
  async #countOf({ statuses, group }: DeviceKinds): Promise<number> {
    let query = this.#db.selectFrom("device_counts").select((eb) => eb.fn.sum<number | null>("count").as("count"));
    if (statuses !== undefined) query = query.where("status", "in", statuses);
    if (group !== undefined) query = query.where("group_name", "=", group);
    return Number((await query.executeTakeFirstOrThrow()).count);
  }

  /** The accepted devices among `ids`. */
  async acceptedAmong(ids: readonly string[]): Promise<Set<string>> {
    const accepted = new Set<string>();
    for (const some of portions(ids)) {
      const rows = await this.#db
        .selectFrom("devices")
        .select("id")
        .where("status", "=", "accepted")
        .where("id", "in", some)
        .execute();
      for (const row of rows) accepted.add(row.id);
    }
    return accepted;
  }

  /** Ids of the accepted members of a static group, sorted. */
  async acceptedInGroup(group: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("devices")
      .select("id")
      .where("group_name", "=", group)
      .where("status", "=", "accepted")
      .orderBy("id")
      .execute();
    return rows.map((row) => row.id);
  }

  async insert(device: DeviceRecord): Promise<void> {
    await INSERT.all(this.#db, device);
  }

  /** Sets what comes from the auth sets of the device. */
  async setStanding(id: string, { status, tier }: Standing, nowMs: number): Promise<void> {
    await SET_STANDING.all(this.#db, { id, status, tier, nowMs });
  }

  async checkIn(id: string, nowMs: number): Promise<void> {
    await CHECK_IN.all(this.#db, { id, nowMs });
  }

  /** Records last contacts. Devices that are gone are ignored. */
  async contacted(contacts: readonly (readonly [id: string, ms: number])[]): Promise<void> {
    const rows = contacts.map(([id, ms]) => sql`(${id}, ${sql.lit(ms)})`);
    await sql`
      with contacts (id, ms) as (values ${sql.join(rows)})
      update devices set contact_ms = contacts.ms from contacts
      where devices.id = contacts.id and coalesce(devices.contact_ms, 0) < contacts.ms`.execute(this.#db);
  }

  /** Deletes the device with its auth sets and inventory; its device deployments stay. */
  async delete(id: string): Promise<void> {
    // No foreign key does this: it would need an index over all entries by device.
    await new InventoryRecords(this.#db).forget(id);
    await this.#db.deleteFrom("devices").where("id", "=", id).execute();
  }
}
