import type { Kysely, Selectable } from "kysely";
import type { DeploymentPreparationTable, Schema } from "./schema.ts";

/** A deployment whose targets are being inserted. */
export type PreparationRecord = Readonly<Selectable<DeploymentPreparationTable>>;

/** What a preparation begins with. */
export type NewPreparation = Pick<PreparationRecord, "deployment_id" | "sequence" | "artifact_name" | "active_sha256">;

/**
 * Deployments that are being prepared. Their targets are device deployments without a deployment: the last transaction
 * of a preparation inserts it.
 */
export class PreparationRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** In progress and abandoned, oldest first. */
  all(): Promise<PreparationRecord[]> {
    return this.#db.selectFrom("deployment_preparations").selectAll().orderBy("sequence").execute();
  }

  /** `undefined` if it was abandoned. */
  find(id: string): Promise<PreparationRecord | undefined> {
    return this.#db
      .selectFrom("deployment_preparations")
      .selectAll()
      .where("deployment_id", "=", id)
      .where("abandoned", "=", 0)
      .executeTakeFirst();
  }

  async insert(preparation: NewPreparation): Promise<void> {
    await this.#db
      .insertInto("deployment_preparations")
      .values({ ...preparation, target_count: 0, batches: 0, abandoned: 0 })
      .execute();
  }

  /** Counts a batch of targets: the preparation makes progress. */
  async countBatch(id: string, targets: number): Promise<void> {
    await this.#db
      .updateTable("deployment_preparations")
      .set((eb) => ({ batches: eb("batches", "+", 1), target_count: eb("target_count", "+", targets) }))
      .where("deployment_id", "=", id)
      .execute();
  }

  /**
   * Its targets will be deleted; the creation may be requested again.
   * @returns False if it is over: its targets have a deployment now, or are deleted.
   */
  async abandon(id: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("deployment_preparations")
      .set({ abandoned: 1, active_sha256: null })
      .where("deployment_id", "=", id)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  /** Deletes a preparation whose targets have a deployment now, or are deleted. */
  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom("deployment_preparations").where("deployment_id", "=", id).execute();
  }

  /** Removes the device from the targets of all preparations. */
  async withdraw(deviceId: string): Promise<void> {
    for (const { deployment_id } of await this.all()) {
      const { numDeletedRows } = await this.#db
        .deleteFrom("device_deployments")
        .where("deployment_id", "=", deployment_id)
        .where("device_id", "=", deviceId)
        .executeTakeFirstOrThrow();
      await this.#db
        .updateTable("deployment_preparations")
        .set((eb) => ({ target_count: eb("target_count", "-", Number(numDeletedRows)) }))
        .where("deployment_id", "=", deployment_id)
        .execute();
    }
  }
}
