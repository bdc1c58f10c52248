import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { ExpressionBuilder, Kysely } from "kysely";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import { Prepared } from "./prepared.ts";
import type { PendingEnd, Schema } from "./schema.ts";

/** A device deployment that does not show yet that its deployment has ended. */
export type EndedDeviceDeployment = DeviceDeploymentRecord & {
  readonly pending_end: PendingEnd;
  /** When the deployment ended. */
  readonly ended_ms: number;
};

/** Statuses of those that have not ended. */
export const OPEN_STATUSES: readonly DeviceDeploymentStatus[] = DEVICE_DEPLOYMENT_STATUSES.filter(
  (status) => !isTerminal(status),
);

/** Device deployments of one status, by device. */
export interface StatusRange {
  readonly status: DeviceDeploymentStatus;
  /** After this device. */
  readonly after: string;
  /** Up to that one; absent: to the last. */
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

/** How device deployments follow the end of their deployment: one by one as their devices ask, or many at a time. */
export class PendingEndRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Abort those that have not ended. Counters are the caller's. */
  async abortOpen(deploymentId: string, range: StatusRange, nowMs: number): Promise<void> {
    await this.#db
      .updateTable("device_deployments")
      .set((eb) => ({
        status: "aborted",
        started_ms: eb.fn.coalesce("started_ms", eb.val(nowMs)),
        finished_ms: nowMs,
      }))
      .where((eb) => within(eb, deploymentId, range))
      .execute();
  }

  /** Remove the rows of devices that were never admitted. @returns How many. */
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

  /** What the device has not finished of deployments that have ended. */
  ended(deviceId: string): Promise<EndedDeviceDeployment[]> {
    return ENDED.all(this.#db, { deviceId });
  }

  /** The `count`-th device of a status within a range; `undefined` beyond the end. */
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

/** Found by an index, however many others the deployment has. */
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
