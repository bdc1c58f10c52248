import type { Kysely, Selectable } from "kysely";
import type { DeviceConfigurationTable, Schema } from "./schema.ts";

export type ConfigurationRecord = Readonly<Selectable<DeviceConfigurationTable>>;

/** Configurations of devices. */
export class ConfigurationRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(deviceId: string): Promise<ConfigurationRecord | undefined> {
    return this.#db
      .selectFrom("device_configurations")
      .selectAll()
      .where("device_id", "=", deviceId)
      .executeTakeFirst();
  }

  /** Inserts or replaces. */
  async put({ device_id, ...rest }: ConfigurationRecord): Promise<void> {
    await this.#db
      .insertInto("device_configurations")
      .values({ device_id, ...rest })
      .onConflict((conflict) => conflict.column("device_id").doUpdateSet(rest))
      .execute();
  }
}
