import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Kysely } from "kysely";
import { portions } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { DeploymentCounterTable, Schema } from "./schema.ts";
import type { Statement } from "./statement.ts";

/** The number of a deployment's targets by status. */
export type Statistics = Readonly<Record<DeviceDeploymentStatus, number>>;

function none(): Record<DeviceDeploymentStatus, number> {
  return Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0])) as Record<
    DeviceDeploymentStatus,
    number
  >;
}

const ADD = new Prepared<DeploymentCounterTable, unknown>((db, value) =>
  db
    .insertInto("deployment_counters")
    .values({ deployment_id: value("deployment_id"), status: value("status"), count: value("count") })
    .onConflict((conflict) =>
      conflict.columns(["deployment_id", "status"]).doUpdateSet((eb) => ({
        count: eb("deployment_counters.count", "+", eb.ref("excluded.count")),
      })),
    ),
);

const MOVE = new Prepared<{ deployment_id: string; from: DeviceDeploymentStatus; to: DeviceDeploymentStatus }, unknown>(
  (db, value) => {
    const one = (status: "from" | "to", count: number) => ({
      deployment_id: value("deployment_id"),
      status: value(status),
      count,
    });
    return db
      .insertInto("deployment_counters")
      .values([one("from", -1), one("to", 1)])
      .onConflict((conflict) =>
        conflict.columns(["deployment_id", "status"]).doUpdateSet((eb) => ({
          count: eb("deployment_counters.count", "+", eb.ref("excluded.count")),
        })),
      );
  },
);

const COUNTS = new Prepared<{ deploymentId: string }, Pick<DeploymentCounterTable, "status" | "count">>((db, value) =>
  db.selectFrom("deployment_counters").select(["status", "count"]).where("deployment_id", "=", value("deploymentId")),
);

/** Counters of deployments. */
export class CounterRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  of(deploymentId: string): Promise<Statistics> {
    return this.ofStatement(deploymentId).send();
  }

  ofStatement(deploymentId: string): Statement<Statistics> {
    return COUNTS.statement(this.#db, { deploymentId }).as((rows) => {
      const statistics = none();
      for (const { status, count } of rows) statistics[status] = count;
      return statistics;
    });
  }

  async ofAll(deploymentIds: readonly string[]): Promise<Map<string, Statistics>> {
    const all = new Map(deploymentIds.map((id) => [id, none()]));
    for (const some of portions(deploymentIds)) {
      const rows = await this.#db
        .selectFrom("deployment_counters")
        .selectAll()
        .where("deployment_id", "in", some)
        .execute();
      for (const row of rows) {
        const statistics = all.get(row.deployment_id);
        if (statistics !== undefined) statistics[row.status] = Number(row.count);
      }
    }
    return all;
  }

  async add(deploymentId: string, status: DeviceDeploymentStatus, count: number): Promise<void> {
    await ADD.all(this.#db, { deployment_id: deploymentId, status, count });
  }

  /** Counts a device deployment that changed its status. */
  async move(deploymentId: string, from: DeviceDeploymentStatus, to: DeviceDeploymentStatus): Promise<void> {
    // One statement cannot count the same row twice.
    if (from !== to) await this.moveStatement(deploymentId, from, to).send();
  }

  /** @param to Another status. */
  moveStatement(deploymentId: string, from: DeviceDeploymentStatus, to: DeviceDeploymentStatus): Statement<unknown> {
    return MOVE.statement(this.#db, { deployment_id: deploymentId, from, to });
  }

  /** Counts all device deployments of these statuses under another one. @returns Their number. */
  async moveAll(
    deploymentId: string,
    from: readonly DeviceDeploymentStatus[],
    to: DeviceDeploymentStatus,
  ): Promise<number> {
    const statistics = await this.of(deploymentId);
    const moved = from.filter((status) => statistics[status] !== 0);
    for (const status of moved) await this.add(deploymentId, status, -statistics[status]);
    const count = moved.reduce((sum, status) => sum + statistics[status], 0);
    if (count !== 0) await this.add(deploymentId, to, count);
    return count;
  }
}
