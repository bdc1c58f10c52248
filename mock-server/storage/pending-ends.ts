import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { ExpressionBuilder, Kysely } from "kysely";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import { Prepared } from "./prepared.ts";
import type { PendingEnd, Schema } from "./schema.ts";

/** An open device deployment of a deployment with a pending end. */
export type EndedDeviceDeployment = DeviceDeploymentRecord & {
  readonly pending_end: PendingEnd;
  /** When the deployment ended. */
  readonly ended_ms: number;
};

/** All statuses but the terminal ones. */
export const OPEN_STATUSES: readonly DeviceDeploymentStatus[] = DEVICE_DEPLOYMENT_STATUSES.filter(
  (status) => !isTerminal(status),
);

/** A range of the device deployments of one status, by device. */
export interface StatusRange {
  readonly status: DeviceDeploymentStatus;
  /** Exclusive. */
  readonly after: string;
  /** Inclusive. Default: the last. */
  readonly upTo?: string;
}

const ENDED = new Prepared<{ deviceId: string }, EndedDeviceDeployment>((db, value) =>
  db
    .selectFrom("device_deployments")
    .innerJoin("deployments", "deployments.id", "device_deployments.deployment_id")
    .selectAll("device_deployments")
    .select(["deployments.pending_end", "deployments.finished_ms as ended_ms"])
    .where("device_deployments.device_id", "=", value("deviceId"))
    .where("device_deployments.finished_ms", "is", null)
    .where("deployments.pending_end", "is not", null)
    .$narrowType<{ pending_end: PendingEnd; ended_ms: number }>(),
);

/** Applies the ends of deployments to device deployments: per device, or in batches. */
export class PendingEndRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Aborts the open device deployments of the range. The caller updates the counters. */
  async abortOpen(deploymentId: string, range: StatusRange, nowMs: number): Promise<void> {
    await this.#db
      .insertInto("device_deployment_states")
      .columns(["deployment_id", "device_id", "number", "at_ms", "attempt", "from_status", "status"])
      .expression((from) =>
        from
          .selectFrom("device_deployments")
          .select((eb) => [
            "deployment_id",
            "device_id",
            eb("state_count", "+", 1).as("number"),
            eb.lit(nowMs).as("at_ms"),
            "attempt",
            "status as from_status",
            eb.val<DeviceDeploymentStatus>("aborted").as("status"),
          ])
          .where((eb) => within(eb, deploymentId, range)),
      )
      .execute();
    await this.#db
      .updateTable("device_deployments")
      .set((eb) => ({
        state_count: eb("state_count", "+", 1),
        status: "aborted",
        started_ms: eb.fn.coalesce("started_ms", eb.val(nowMs)),
        finished_ms: nowMs,
      }))
      .where((eb) => within(eb, deploymentId, range))
      .execute();
  }

  /** Deletes the rows of devices that were not admitted. @returns The number of rows, and of rows that had begun. */
  async removeNotAdmitted(
    deploymentId: string,
    range: Omit<StatusRange, "status"> = { after: "" },
  ): Promise<{ readonly open: number; readonly begun: number }> {
    const pending: StatusRange = { status: "pending", ...range };
    const row = await this.#db
      .selectFrom("device_deployments")
      .select((eb) => [eb.fn.countAll<number>().as("open"), eb.fn.count<number>("created_ms").as("begun")])
      .where((eb) => within(eb, deploymentId, pending))
      .where("admitted", "=", 0)
      .executeTakeFirstOrThrow();
    await this.#db
      .deleteFrom("device_deployments")
      .where((eb) => within(eb, deploymentId, pending))
      .where("admitted", "=", 0)
      .execute();
    return { open: Number(row.open), begun: Number(row.begun) };
  }

  /** The open device deployments of the device whose deployments have a pending end. */
  ended(deviceId: string): Promise<EndedDeviceDeployment[]> {
    return ENDED.all(this.#db, { deviceId });
  }

  /** The `count`-th device within a range; `undefined` beyond the end. */
  async nthOfStatus(deploymentId: string, range: StatusRange, count: number): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("device_deployments")
      .select("device_id")
      .where((eb) => within(eb, deploymentId, range))
      .orderBy("device_id")
      .limit(1)
      .offset(count - 1)
      .executeTakeFirst();
    return row?.device_id;
  }
}

/** The condition of a range; an index answers it without reading the other rows of the deployment. */
function within(
  eb: ExpressionBuilder<Schema, "device_deployments">,
  deploymentId: string,
  { status, after, upTo }: StatusRange,
) {
  return eb.and([
    eb("deployment_id", "=", deploymentId),
    eb("status", "=", status),
    eb("device_id", ">", after),
    ...(upTo === undefined ? [] : [eb("device_id", "<=", upTo)]),
  ]);
}
