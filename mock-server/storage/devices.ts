import type { Kysely, Selectable } from "kysely";
import { offsetOf, type Page, type Paging, portions } from "./paging.ts";
import type { DeviceStatus, DeviceTable, Schema } from "./schema.ts";

export type DeviceRecord = Readonly<Selectable<DeviceTable>>;

/** Devices that ever asked to be let in, or were announced. */
export class DeviceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<DeviceRecord | undefined> {
    return this.#db.selectFrom("devices").selectAll().where("id", "=", id).executeTakeFirst();
  }

  findByIdentity(identitySha256: string): Promise<DeviceRecord | undefined> {
    return this.#db.selectFrom("devices").selectAll().where("identity_sha256", "=", identitySha256).executeTakeFirst();
  }

  /** Sorted by status, then id. No filter, no restriction. */
  async list(
    filter: { readonly statuses?: readonly DeviceStatus[]; readonly ids?: readonly string[] },
    paging: Paging,
  ): Promise<Page<DeviceRecord>> {
    let query = this.#db.selectFrom("devices");
    if (filter.statuses !== undefined) query = query.where("status", "in", filter.statuses);
    if (filter.ids !== undefined) query = query.where("id", "in", filter.ids);
    const counted = await query.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    const items = await query
      .selectAll()
      .orderBy("status")
      .orderBy("id")
      .limit(paging.perPage)
      .offset(offsetOf(paging))
      .execute();
    return { items, total: Number(counted.count) };
  }

  async count(status: DeviceStatus | undefined): Promise<number> {
    let query = this.#db.selectFrom("devices").select((eb) => eb.fn.countAll<number>().as("count"));
    if (status !== undefined) query = query.where("status", "=", status);
    return Number((await query.executeTakeFirstOrThrow()).count);
  }

  /** Those of `ids` that are accepted. */
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

  async insert(device: DeviceRecord): Promise<void> {
    await this.#db.insertInto("devices").values(device).execute();
  }

  async setStatus(id: string, status: DeviceStatus, nowMs: number): Promise<void> {
    await this.#db.updateTable("devices").set({ status, updated_ms: nowMs }).where("id", "=", id).execute();
  }

  async checkIn(id: string, nowMs: number): Promise<void> {
    await this.#db.updateTable("devices").set({ check_in_ms: nowMs }).where("id", "=", id).execute();
  }

  /** With its auth sets and its inventory. What it deployed stays. */
  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("devices").where("id", "=", id).execute();
  }
}
