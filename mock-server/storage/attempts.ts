import type { Kysely, Selectable } from "kysely";
import { portions } from "./paging.ts";
import type { DeviceDeploymentAttemptTable, Schema } from "./schema.ts";

export type AttemptRecord = Readonly<Selectable<DeviceDeploymentAttemptTable>>;

/** Attempts that failed and were followed by another. */
export class AttemptRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async insert(attempt: AttemptRecord): Promise<void> {
    await this.#db.insertInto("device_deployment_attempts").values(attempt).execute();
  }

  async setReason(
    { deploymentId, deviceId, attempt }: { deploymentId: string; deviceId: string; attempt: number },
    reason: string,
  ): Promise<void> {
    await this.#db
      .updateTable("device_deployment_attempts")
      .set({ reason })
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "=", deviceId)
      .where("attempt", "=", attempt)
      .execute();
  }

  /** The attempts of these devices in these deployments, in order. */
  async of(deploymentIds: readonly string[], deviceIds: readonly string[]): Promise<AttemptRecord[]> {
    const found: AttemptRecord[] = [];
    for (const deployments of portions(deploymentIds)) {
      for (const devices of portions(deviceIds)) {
        const rows = await this.#db
          .selectFrom("device_deployment_attempts")
          .selectAll()
          .where("deployment_id", "in", deployments)
          .where("device_id", "in", devices)
          .orderBy("attempt")
          .execute();
        found.push(...rows);
      }
    }
    return found;
  }
}
