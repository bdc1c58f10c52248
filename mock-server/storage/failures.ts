import { type Kysely, sql } from "kysely";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import type { Schema } from "./schema.ts";

/** Restricts failures; absent properties do not restrict. */
export interface FailureFilter {
  readonly deploymentId?: string;
  /** Inclusive. */
  readonly sinceMs?: number;
}

/** One of the last failures with a reason, and the number of all of them. */
export type SampledFailure = Pick<DeviceDeploymentRecord, "deployment_id" | "device_id" | "reason"> & {
  readonly count: number;
};

/** Failed device deployments. */
export class FailureRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /**
   * The last failures of each reason, the most frequent reason first.
   * @param each At most this many of a reason.
   * @param limit At most this many of all reasons.
   */
  async byReason({ deploymentId, sinceMs }: FailureFilter, each: number, limit: number): Promise<SampledFailure[]> {
    const rows = await this.#db
      .selectFrom((from) => {
        let query = from
          .selectFrom("device_deployments")
          .select(["deployment_id", "device_id", "reason"])
          .select(sql<number>`count(*) over (partition by reason)`.as("count"))
          .select(
            sql<number>`row_number() over (partition by reason order by finished_ms desc, device_id)`.as("position"),
          )
          .where("status", "=", "failure");
        if (deploymentId !== undefined) query = query.where("deployment_id", "=", deploymentId);
        if (sinceMs !== undefined) query = query.where("finished_ms", ">=", sinceMs);
        return query.as("failures");
      })
      .select(["deployment_id", "device_id", "reason", "count"])
      .where("position", "<=", each)
      .orderBy("count", "desc")
      .orderBy("reason")
      .orderBy("position")
      .limit(limit)
      .execute();
    return rows.map((row) => ({ ...row, count: Number(row.count) }));
  }
}
