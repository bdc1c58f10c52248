import type { Kysely, Selectable } from "kysely";
import { portions } from "./paging.ts";
import type { InventoryAttributeTable, Schema } from "./schema.ts";

export type AttributeRecord = Readonly<Selectable<InventoryAttributeTable>>;

/** Attributes that devices told of themselves. */
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

  /** How many of the first so many devices have each attribute, the most frequent first. */
  async names(
    deviceLimit: number,
    limit: number,
  ): Promise<{ readonly scope: AttributeRecord["scope"]; readonly name: string; readonly count: number }[]> {
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

  async count(deviceId: string, scope: AttributeRecord["scope"]): Promise<number> {
    const row = await this.#db
      .selectFrom("inventory_attributes")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("device_id", "=", deviceId)
      .where("scope", "=", scope)
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** Add these, in place of those of the same name. */
  async put(attributes: readonly AttributeRecord[]): Promise<void> {
    for (const some of portions(attributes, 100)) {
      await this.#db
        .insertInto("inventory_attributes")
        .values([...some])
        .onConflict((conflict) =>
          conflict.columns(["device_id", "scope", "name"]).doUpdateSet((eb) => ({
            value_json: eb.ref("excluded.value_json"),
            description: eb.ref("excluded.description"),
            updated_ms: eb.ref("excluded.updated_ms"),
          })),
        )
        .execute();
    }
    for (const deviceId of new Set(attributes.map(({ device_id }) => device_id))) await this.#changed(deviceId);
  }

  /** One event for all attributes together. */
  async #changed(deviceId: string): Promise<void> {
    const event = { kind: "inventory", action: "changed", subject: deviceId, related: null, status: null } as const;
    await this.#db.insertInto("events").values(event).execute();
  }

  async clear(deviceId: string, scope: AttributeRecord["scope"]): Promise<void> {
    await this.#db
      .deleteFrom("inventory_attributes")
      .where("device_id", "=", deviceId)
      .where("scope", "=", scope)
      .execute();
  }
}
