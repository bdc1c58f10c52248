import { type Kysely, sql } from "kysely";
import { withDeltas } from "./counters.ts";
import { counted, type DeploymentRecord } from "./deployments.ts";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import { portions } from "./paging.ts";
import type { Schema } from "./schema.ts";

/** An unfinished device deployment, with the part of its deployment that says whether the device stays in it. */
export type QueuedDeployment = Pick<DeviceDeploymentRecord, "deployment_id" | "device_id" | "sequence" | "admitted"> &
  Pick<DeploymentRecord, "filter_json" | "max_devices" | "admitted_count">;

/** The deployments of many devices at once: those that are open, and the last that each device finished. */
export class QueueRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Unfinished device deployments of these devices, oldest first. Those of ended deployments are left out. */
  async open(deviceIds: readonly string[]): Promise<QueuedDeployment[]> {
    const found: QueuedDeployment[] = [];
    for (const some of portions(deviceIds)) {
      const rows = await this.#db
        .selectFrom("device_deployments as row")
        .innerJoin("deployments", "deployments.id", "row.deployment_id")
        .select(["row.deployment_id", "row.device_id", "row.sequence", "row.admitted"])
        .select(["deployments.filter_json", "deployments.max_devices"])
        .select((eb) =>
          withDeltas(eb, "deployments.id", "deployments.admitted_count", sql.val("admitted_count")).as(
            "admitted_count",
          ),
        )
        .where("row.device_id", "in", some)
        .where("row.finished_ms", "is", null)
        .where("deployments.pending_end", "is", null)
        .orderBy("row.sequence")
        .execute();
      found.push(...rows);
    }
    return found;
  }

  /** See `DeviceDeploymentRecords.lastFinished`. Devices that finished none are left out. */
  async lastFinished(deviceIds: readonly string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const some of portions(deviceIds)) {
      const rows = await this.#db
        .selectFrom("device_deployments")
        .select((eb) => ["device_id", eb.fn.max("sequence").as("sequence")])
        .where("device_id", "in", some)
        .where("finished_ms", "is not", null)
        .where("created_ms", "is not", null)
        .groupBy("device_id")
        .execute();
      for (const row of rows) found.set(row.device_id, Number(row.sequence));
    }
    return found;
  }

  /** Open dynamic deployments, oldest first. */
  openDynamic(): Promise<DeploymentRecord[]> {
    return counted(this.#db).where("dynamic", "=", 1).where("status", "=", "pending").orderBy("sequence").execute();
  }

  /** Which of these devices take part in which of these deployments, finished or not. */
  async takingPart(
    deploymentIds: readonly string[],
    deviceIds: readonly string[],
  ): Promise<{ readonly deployment_id: string; readonly device_id: string }[]> {
    const found: { readonly deployment_id: string; readonly device_id: string }[] = [];
    for (const deployments of portions(deploymentIds)) {
      for (const devices of portions(deviceIds)) {
        const rows = await this.#db
          .selectFrom("device_deployments")
          .select(["deployment_id", "device_id"])
          .where("deployment_id", "in", deployments)
          .where("device_id", "in", devices)
          .execute();
        found.push(...rows);
      }
    }
    return found;
  }
}
