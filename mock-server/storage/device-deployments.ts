import type { DeploymentStatus, DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { ExpressionBuilder, Kysely, Selectable, Updateable } from "kysely";
import { portions } from "./paging.ts";
import { Prepared, variants } from "./prepared.ts";
import type { DeviceDeploymentTable, Flag, PendingEnd, Schema } from "./schema.ts";
import type { Statement } from "./statement.ts";

export type DeviceDeploymentRecord = Readonly<Selectable<DeviceDeploymentTable>>;

export interface DeviceDeploymentKey {
  readonly deployment_id: string;
  readonly device_id: string;
}

const FOUND = new Prepared<{ deploymentId: string; deviceId: string }, DeviceDeploymentRecord>((db, value) =>
  db
    .selectFrom("device_deployments")
    .selectAll()
    .where("deployment_id", "=", value("deploymentId"))
    .where("device_id", "=", value("deviceId")),
);

/** A device deployment, and what decides on a report of its device. */
export type ReportedDeviceDeployment = DeviceDeploymentRecord & {
  readonly deployment_status: DeploymentStatus;
  readonly retries: number;
  readonly pending_end: PendingEnd | null;
  /** 1: the device is in a deployment that limits silence. */
  readonly silence_counts: Flag;
};

/** One statement: every report runs it. */
const REPORTED = new Prepared<{ deploymentId: string; deviceId: string }, ReportedDeviceDeployment>((db, value) =>
  db
    .selectFrom("device_deployments")
    .innerJoin("deployments", "deployments.id", "device_deployments.deployment_id")
    .selectAll("device_deployments")
    .select(["deployments.status as deployment_status", "deployments.retries", "deployments.pending_end"])
    .select((eb) =>
      eb
        .case()
        .when(
          eb.exists(
            eb
              .selectFrom("device_deployments as heard")
              .select("heard.device_id")
              .where("heard.device_id", "=", value("deviceId"))
              .where("heard.finished_ms", "is", null)
              .where("heard.last_seen_ms", "is not", null),
          ),
        )
        .then(eb.lit(1))
        .else(eb.lit(0))
        .end()
        .$castTo<Flag>()
        .as("silence_counts"),
    )
    .where("device_deployments.deployment_id", "=", value("deploymentId"))
    .where("device_deployments.device_id", "=", value("deviceId")),
);

/** The deployment of the row. Targets of a deployment that is being prepared have none yet. */
function published(eb: ExpressionBuilder<Schema, "device_deployments">) {
  return eb
    .selectFrom("deployments")
    .select("deployments.id")
    .whereRef("deployments.id", "=", "device_deployments.deployment_id");
}

const OLDEST_OPEN = new Prepared<{ deviceId: string; after: number }, DeviceDeploymentRecord>((db, value) =>
  db
    .selectFrom("device_deployments")
    .selectAll()
    .where("device_id", "=", value("deviceId"))
    .where("finished_ms", "is", null)
    .where("sequence", ">", value("after"))
    .where((eb) => eb.exists(published(eb)))
    .orderBy("sequence")
    .limit(1),
);

const LAST_FINISHED = new Prepared<{ deviceId: string }, { readonly sequence: number }>((db, value) =>
  db
    .selectFrom("device_deployments")
    .select("sequence")
    .where("device_id", "=", value("deviceId"))
    .where("finished_ms", "is not", null)
    .where("created_ms", "is not", null)
    .orderBy("sequence", "desc")
    .limit(1),
);

type Values = Record<string, unknown>;

/** Variants: the names of the columns, separated by spaces. */
const UPDATE = variants(
  (columns: string) =>
    new Prepared<Values, unknown>((db, value) =>
      db
        .updateTable("device_deployments")
        .set(Object.fromEntries(columns.split(" ").map((column) => [column, value(column)])))
        .where("deployment_id", "=", value("of deployment") as string)
        .where("device_id", "=", value("of device") as string),
    ),
);

/** Device deployments: one row for each target of each deployment. */
export class DeviceDeploymentRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(deploymentId: string, deviceId: string): Promise<DeviceDeploymentRecord | undefined> {
    return FOUND.first(this.#db, { deploymentId, deviceId });
  }

  /** The device deployment with what decides on a report of its device. */
  reported(deploymentId: string, deviceId: string): Promise<ReportedDeviceDeployment | undefined> {
    return REPORTED.first(this.#db, { deploymentId, deviceId });
  }

  /** The oldest unfinished device deployment of deployments after `afterSequence`. */
  oldestOpen(deviceId: string, afterSequence: number): Promise<DeviceDeploymentRecord | undefined> {
    return OLDEST_OPEN.first(this.#db, { deviceId, after: afterSequence });
  }

  /**
   * The sequence number of the newest deployment that the device finished; 0 if there is none. A device deployment
   * that ended before the device polled for it does not count. Deleted history counts.
   */
  async lastFinished(deviceId: string): Promise<number> {
    return (await LAST_FINISHED.first(this.#db, { deviceId }))?.sequence ?? 0;
  }

  /** The status of each device in the newest deployment that it has polled for. */
  async latestStatuses(deviceIds: readonly string[]): Promise<Map<string, DeviceDeploymentStatus>> {
    const statuses = new Map<string, DeviceDeploymentStatus>();
    for (const some of portions(deviceIds)) {
      const rows = await this.#db
        .selectFrom("device_deployments as latest")
        .select(["latest.device_id", "latest.status"])
        .where("latest.device_id", "in", some)
        .where("latest.sequence", "=", (eb) =>
          eb
            .selectFrom("device_deployments as asked")
            .select((one) => one.fn.max("asked.sequence").as("sequence"))
            .whereRef("asked.device_id", "=", "latest.device_id")
            .where("asked.created_ms", "is not", null),
        )
        .execute();
      for (const row of rows) statuses.set(row.device_id, row.status);
    }
    return statuses;
  }

  /** All unfinished device deployments of the device, oldest first. */
  allOpen(deviceId: string): Promise<DeviceDeploymentRecord[]> {
    return this.#db
      .selectFrom("device_deployments")
      .selectAll()
      .where("device_id", "=", deviceId)
      .where("finished_ms", "is", null)
      .where((eb) => eb.exists(published(eb)))
      .orderBy("sequence")
      .execute();
  }

  /** Deletes at most `limit` targets of an abandoned preparation. @returns The number of deleted targets. */
  async removeSome(deploymentId: string, limit: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("device_deployments")
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "in", (eb) =>
        eb
          .selectFrom("device_deployments as some")
          .select("some.device_id")
          .where("some.deployment_id", "=", deploymentId)
          .orderBy("some.device_id")
          .limit(limit),
      )
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  /** Inserts these devices as pending targets. */
  async insertTargets(deployment: TargetsOf, deviceIds: readonly string[]): Promise<void> {
    for (const some of portions(deviceIds)) {
      await this.#db
        .insertInto("device_deployments")
        .values(
          some.map((deviceId) => ({
            deployment_id: deployment.id,
            device_id: deviceId,
            sequence: deployment.sequence,
            status: "pending" as const,
            attempt: 1,
            admitted: 0 as const,
          })),
        )
        .execute();
    }
  }

  /** Inserts one more target. */
  async insert(row: DeviceDeploymentRecord): Promise<void> {
    await this.#db.insertInto("device_deployments").values(row).execute();
  }

  /** Deletes the row: the device is no longer a target. */
  async remove({ deployment_id, device_id }: DeviceDeploymentKey): Promise<void> {
    await this.#db
      .deleteFrom("device_deployments")
      .where("deployment_id", "=", deployment_id)
      .where("device_id", "=", device_id)
      .execute();
  }

  /**
   * Inserts accepted devices as targets: all, or those of a group.
   * @param range Exclusive and inclusive bounds of the ids. Default: all.
   * @returns The number of targets.
   */
  async insertAccepted(
    deployment: TargetsOf,
    group: string | undefined,
    range: { readonly after: string; readonly upTo: string | undefined } | undefined,
  ): Promise<number> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto("device_deployments")
      .columns(["deployment_id", "device_id", "sequence", "status", "attempt", "admitted"])
      .expression((eb) => {
        let query = eb
          .selectFrom("devices")
          .select((device) => [
            device.val(deployment.id).as("deployment_id"),
            "devices.id",
            device.val(deployment.sequence).as("sequence"),
            device.val("pending").as("status"),
            device.val(1).as("attempt"),
            device.val<0 | 1>(0).as("admitted"),
          ])
          .where("devices.status", "=", "accepted");
        if (group !== undefined) query = query.where("devices.group_name", "=", group);
        if (range !== undefined) query = query.where("devices.id", ">", range.after);
        if (range?.upTo !== undefined) query = query.where("devices.id", "<=", range.upTo);
        return query;
      })
      .executeTakeFirstOrThrow();
    return Number(numInsertedOrUpdatedRows ?? 0);
  }

  async update(key: DeviceDeploymentKey, change: Updateable<DeviceDeploymentTable>): Promise<void> {
    await this.updateStatement(key, change).send();
  }

  updateStatement(key: DeviceDeploymentKey, change: Updateable<DeviceDeploymentTable>): Statement<unknown> {
    const values = { ...change, "of deployment": key.deployment_id, "of device": key.device_id };
    return UPDATE(Object.keys(change).join(" ")).statement(this.#db, values);
  }

  /** Ids of the devices that failed and are accepted now, sorted. */
  async failedAndAccepted(deploymentId: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("device_deployments")
      .innerJoin("devices", "devices.id", "device_deployments.device_id")
      .select("device_deployments.device_id")
      .where("device_deployments.deployment_id", "=", deploymentId)
      .where("device_deployments.status", "=", "failure")
      .where("devices.status", "=", "accepted")
      .orderBy("device_deployments.device_id")
      .execute();
    return rows.map((row) => row.device_id);
  }

  /** Ids of all targeted devices, sorted. */
  async targets(deploymentId: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("device_deployments")
      .select("device_id")
      .where("deployment_id", "=", deploymentId)
      .orderBy("device_id")
      .execute();
    return rows.map((row) => row.device_id);
  }

  /** Marks the finished device deployments as deleted from the history. */
  async hideFinished(deviceId: string, nowMs: number): Promise<void> {
    await this.#db
      .updateTable("device_deployments")
      .set({ hidden_ms: nowMs })
      .where("device_id", "=", deviceId)
      .where("finished_ms", "is not", null)
      .where("hidden_ms", "is", null)
      .execute();
  }
}

/** The deployment that targets are inserted for. */
export interface TargetsOf {
  readonly id: string;
  readonly sequence: number;
}
