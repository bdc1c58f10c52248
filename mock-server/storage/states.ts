import { type Kysely, type Selectable, sql } from "kysely";
import { Prepared } from "./prepared.ts";
import type { DeviceDeploymentStateTable, Schema } from "./schema.ts";
import type { Statement } from "./statement.ts";

export type StateRecord = Readonly<Selectable<DeviceDeploymentStateTable>>;

const INSERT = new Prepared<StateRecord, unknown>((db, value) =>
  db.insertInto("device_deployment_states").values({
    deployment_id: value("deployment_id"),
    device_id: value("device_id"),
    number: value("number"),
    at_ms: value("at_ms"),
    attempt: value("attempt"),
    from_status: value("from_status"),
    status: value("status"),
    substate: value("substate"),
  }),
);

/** Changes of the status of device deployments. */
export class StateRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async insert(state: StateRecord): Promise<void> {
    await this.insertStatement(state).send();
  }

  insertStatement(state: StateRecord): Statement<unknown> {
    return INSERT.statement(this.#db, state);
  }

  /** Those of one device deployment, in order. */
  of(deploymentId: string, deviceId: string): Promise<StateRecord[]> {
    return this.#db
      .selectFrom("device_deployment_states")
      .selectAll()
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "=", deviceId)
      .orderBy("number")
      .execute();
  }

  /** The next `limit` of a deployment after `last`, by device and then in order. */
  after(
    deploymentId: string,
    last: Pick<StateRecord, "device_id" | "number"> | undefined,
    limit: number,
  ): Promise<StateRecord[]> {
    let query = this.#db.selectFrom("device_deployment_states").selectAll().where("deployment_id", "=", deploymentId);
    if (last !== undefined)
      query = query.where(sql<boolean>`(device_id, number) > (${last.device_id}, ${last.number})`);
    return query.orderBy("device_id").orderBy("number").limit(limit).execute();
  }
}
