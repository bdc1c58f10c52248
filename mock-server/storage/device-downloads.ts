import type { AdaptiveTransfer } from "@upkeep/shared/protocol";
import type { Kysely } from "kysely";
import { portions } from "./paging.ts";
import type { Schema } from "./schema.ts";

/** What the downloads of a deployment cost, in bytes. */
export interface DownloadSums {
  /** Downloads that were reported. */
  readonly count: number;
  /** What they would have cost as plain downloads. */
  readonly needed: number;
  readonly reused: number;
  readonly fetched: number;
}

export interface DeviceDownload extends AdaptiveTransfer {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly attempt: number;
}

/** What downloads cost, as devices reported it. */
export class DeviceDownloadRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** In place of an earlier report of the same attempt. */
  async put({ deploymentId, deviceId, attempt, needed, reused, fetched, plain }: DeviceDownload): Promise<void> {
    const values = {
      needed_bytes: needed,
      reused_bytes: reused,
      fetched_bytes: fetched,
      plain_reason: plain ?? null,
    };
    await this.#db
      .insertInto("device_downloads")
      .values({ deployment_id: deploymentId, device_id: deviceId, attempt, ...values })
      .onConflict((conflict) => conflict.columns(["deployment_id", "device_id", "attempt"]).doUpdateSet(values))
      .execute();
  }

  /** The last reports of these devices in these deployments. */
  async last(deploymentIds: readonly string[], deviceIds: readonly string[]): Promise<DeviceDownload[]> {
    const found = new Map<string, DeviceDownload>();
    for (const deployments of portions(deploymentIds)) {
      for (const devices of portions(deviceIds)) {
        const rows = await this.#db
          .selectFrom("device_downloads")
          .selectAll()
          .where("deployment_id", "in", deployments)
          .where("device_id", "in", devices)
          .orderBy("attempt")
          .execute();
        for (const row of rows) {
          found.set(`${row.deployment_id} ${row.device_id}`, {
            deploymentId: row.deployment_id,
            deviceId: row.device_id,
            attempt: row.attempt,
            needed: Number(row.needed_bytes),
            reused: Number(row.reused_bytes),
            fetched: Number(row.fetched_bytes),
            ...(row.plain_reason === null ? {} : { plain: row.plain_reason }),
          });
        }
      }
    }
    return [...found.values()];
  }

  async sums(deploymentId: string): Promise<DownloadSums> {
    const { count, needed, reused, fetched } = await this.#db
      .selectFrom("device_downloads")
      .select((eb) => [
        eb.fn.countAll<number | string>().as("count"),
        eb.fn.sum<number | string | null>("needed_bytes").as("needed"),
        eb.fn.sum<number | string | null>("reused_bytes").as("reused"),
        eb.fn.sum<number | string | null>("fetched_bytes").as("fetched"),
      ])
      .where("deployment_id", "=", deploymentId)
      .executeTakeFirstOrThrow();
    return {
      count: Number(count),
      needed: Number(needed ?? 0),
      reused: Number(reused ?? 0),
      fetched: Number(fetched ?? 0),
    };
  }
}
