import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { type ExpressionBuilder, type Kysely, type SelectQueryBuilder, sql } from "kysely";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import { offsetOf, type Page, type Paging, type SortOrder } from "./paging.ts";
import type { DeviceDeploymentTable, Schema } from "./schema.ts";
import { matchesText } from "./text.ts";

/** A device deployment as lists show it. */
export type ListedDeviceDeployment = DeviceDeploymentRecord & { readonly has_log: boolean };

/** Restricts and sorts the device deployments of a deployment; absent properties do not restrict. */
export interface DeviceDeploymentSearch {
  readonly statuses?: readonly DeviceDeploymentStatus[];
  /** Failures with exactly this reason. */
  readonly reason?: string;
  /** A part of the id, the identity, the substate or the reason, case-insensitive. */
  readonly text?: string;
  /** With targets that have not polled yet. Default: false. */
  readonly unasked?: boolean;
  readonly sort: { readonly by: DeviceDeploymentOrder; readonly order: SortOrder };
}

export const DEVICE_DEPLOYMENT_ORDERS = [
  "status",
  "device_id",
  "created_ms",
  "started_ms",
  "finished_ms",
  "attempt",
] as const satisfies readonly (keyof DeviceDeploymentTable)[];
export type DeviceDeploymentOrder = (typeof DEVICE_DEPLOYMENT_ORDERS)[number];

type ShownQuery = SelectQueryBuilder<Schema, "device_deployments", unknown>;

/** Device deployments as people look at them: those of a deployment, or of a device. */
export class DeviceDeploymentLists {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /**
   * The device deployments of a deployment that have begun or ended, by status and then device. Targets that have
   * not polled yet are left out.
   * @param paging Everything when absent.
   */
  async listOf(
    deploymentId: string,
    statuses: readonly DeviceDeploymentStatus[] | undefined,
    paging?: Paging,
  ): Promise<Page<ListedDeviceDeployment>> {
    let query = this.#shown().where("device_deployments.deployment_id", "=", deploymentId);
    if (statuses !== undefined) query = query.where("device_deployments.status", "in", statuses);
    return this.#page(
      query.orderBy("device_deployments.status").orderBy("device_deployments.device_id"),
      query,
      paging,
    );
  }

  /** Some device deployments of a deployment, in any order. */
  async search(
    deploymentId: string,
    { statuses, reason, text, unasked = false, sort }: DeviceDeploymentSearch,
    paging: Paging,
  ): Promise<Page<ListedDeviceDeployment>> {
    let query: ShownQuery = unasked ? this.#db.selectFrom("device_deployments") : this.#shown();
    query = query.where("device_deployments.deployment_id", "=", deploymentId);
    if (statuses !== undefined) query = query.where("device_deployments.status", "in", statuses);
    if (reason !== undefined) {
      query = query.where("device_deployments.status", "=", "failure").where("device_deployments.reason", "=", reason);
    }
    if (text !== undefined) query = query.where((eb) => mentions(eb, text));
    const column = sql.ref(`device_deployments.${sort.by}`);
    // Those without the value come last, on each engine and in each order.
    const ordered = query
      .orderBy(sql`${column} is null`)
      .orderBy(column, sort.order)
      .orderBy("device_deployments.device_id");
    return this.#page(ordered, query, paging);
  }

  /** The device deployments of a device, newest first, deleted history included. */
  async history(
    deviceId: string,
    statuses: readonly DeviceDeploymentStatus[] | undefined,
    paging: Paging,
  ): Promise<Page<ListedDeviceDeployment>> {
    let query = this.#shown().where("device_deployments.device_id", "=", deviceId);
    if (statuses !== undefined) query = query.where("device_deployments.status", "in", statuses);
    return this.#page(query.orderBy("device_deployments.sequence", "desc"), query, paging);
  }

  /** The next `limit` that have begun or ended, by device, with the time of that. */
  async begunAfter(
    deploymentId: string,
    after: string,
    limit: number,
  ): Promise<{ readonly device_id: string; readonly begun_ms: number }[]> {
    const rows = await this.#shown()
      .select((eb) => ["device_id", eb.fn.coalesce("created_ms", "finished_ms").as("begun_ms")])
      .where("deployment_id", "=", deploymentId)
      .where("device_id", ">", after)
      .orderBy("device_id")
      .limit(limit)
      .execute();
    return rows.map(({ device_id, begun_ms }) => ({ device_id, begun_ms: Number(begun_ms) }));
  }

  #shown() {
    return this.#db
      .selectFrom("device_deployments")
      .where((eb) =>
        eb.or([
          eb("device_deployments.created_ms", "is not", null),
          eb("device_deployments.finished_ms", "is not", null),
        ]),
      );
  }

  async #page(
    ordered: ShownQuery,
    counted: ShownQuery,
    paging: Paging | undefined,
  ): Promise<Page<ListedDeviceDeployment>> {
    let query = ordered.selectAll("device_deployments").select((eb) =>
      eb
        .selectFrom("deployment_logs")
        .select((log) => log.fn.countAll<number>().as("count"))
        .whereRef("deployment_logs.deployment_id", "=", "device_deployments.deployment_id")
        .whereRef("deployment_logs.device_id", "=", "device_deployments.device_id")
        .as("logs"),
    );
    if (paging !== undefined) query = query.limit(paging.perPage).offset(offsetOf(paging));
    const items = (await query.execute()).map(({ logs, ...row }) => ({ ...row, has_log: Number(logs) > 0 }));
    if (paging === undefined) return { items, total: items.length };
    const row = await counted.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    return { items, total: Number(row.count) };
  }
}

function mentions(eb: ExpressionBuilder<Schema, "device_deployments">, text: string) {
  const wanted = { kind: "contains", value: text } as const;
  return eb.or([
    matchesText(eb.ref("device_deployments.device_id"), wanted),
    matchesText(eb.fn.coalesce("device_deployments.substate", eb.val("")), wanted),
    matchesText(eb.fn.coalesce("device_deployments.reason", eb.val("")), wanted),
    eb.exists((device) =>
      device
        .selectFrom("devices")
        .select("devices.id")
        .whereRef("devices.id", "=", "device_deployments.device_id")
        .where((one) => matchesText(one.ref("devices.identity_json"), wanted)),
    ),
  ]);
}
