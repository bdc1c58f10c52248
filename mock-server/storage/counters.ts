import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import {
  type AliasableExpression,
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type StringReference,
  sql,
} from "kysely";
import { isPostgres } from "./engines/dialect.ts";
import { portions } from "./paging.ts";
import { Prepared, variants } from "./prepared.ts";
import type { CounterDeltaTable, Schema } from "./schema.ts";
import { pipeline, type Statement } from "./statement.ts";

/** The number of a deployment's targets by status. */
export type Statistics = Readonly<Record<DeviceDeploymentStatus, number>>;

/** What is counted of a deployment, beside its statuses. Columns of its record. */
export const DEPLOYMENT_COUNTS = ["target_count", "device_count", "admitted_count", "total_size_bytes"] as const;
type DeploymentCount = (typeof DEPLOYMENT_COUNTS)[number];

/** What is counted of a phase without an order. Columns of its record. */
export const PHASE_COUNTS = ["device_count", "succeeded"] as const;
type PhaseCount = (typeof PHASE_COUNTS)[number];

/** The name of a counter of a deployment. */
export type Counter = DeviceDeploymentStatus | DeploymentCount | `phase ${number} ${PhaseCount}`;

/** Changes of the counters of one deployment. */
export type CounterChanges = readonly (readonly [counter: Counter, change: number])[];

type Values = Record<string, string | number>;

function valuesOf(deploymentId: string, changes: CounterChanges): Values {
  const values: Values = { id: deploymentId };
  for (const [row, [counter, change]] of changes.entries()) {
    values[`counter ${row}`] = counter;
    values[`change ${row}`] = change;
  }
  return values;
}

const APPEND = variants(
  (rows: number) =>
    new Prepared<Values, unknown>((db, value) =>
      db.insertInto("counter_deltas").values(
        Array.from({ length: rows }, (_, row) => ({
          deployment_id: value("id") as string,
          counter: value(`counter ${row}`) as string,
          change: value(`change ${row}`) as number,
        })),
      ),
    ),
);

const ADD_STATUSES = variants(
  (rows: number) =>
    new Prepared<Values, unknown>((db, value) =>
      db
        .insertInto("deployment_counters")
        .values(
          Array.from({ length: rows }, (_, row) => ({
            deployment_id: value("id") as string,
            status: value(`counter ${row}`) as DeviceDeploymentStatus,
            count: value(`change ${row}`) as number,
          })),
        )
        .onConflict((conflict) =>
          conflict.columns(["deployment_id", "status"]).doUpdateSet((eb) => ({
            count: eb("deployment_counters.count", "+", eb.ref("excluded.count")),
          })),
        ),
    ),
);

const ADD_TO_DEPLOYMENT = new Prepared<Record<DeploymentCount, number> & { id: string }, unknown>((db, value) =>
  db
    .updateTable("deployments")
    .set((eb) => ({
      target_count: eb("target_count", "+", value("target_count")),
      device_count: eb("device_count", "+", value("device_count")),
      admitted_count: eb("admitted_count", "+", value("admitted_count")),
      total_size_bytes: eb("total_size_bytes", "+", value("total_size_bytes")),
    }))
    .where("id", "=", value("id")),
);

const ADD_TO_PHASE = new Prepared<Record<PhaseCount, number> & { id: string; number: number }, unknown>((db, value) =>
  db
    .updateTable("deployment_phases")
    .set((eb) => ({
      device_count: eb("device_count", "+", value("device_count")),
      succeeded: eb("succeeded", "+", value("succeeded")),
    }))
    .where("deployment_id", "=", value("id"))
    .where("number", "=", value("number")),
);

/** A column with what was appended for it. */
export function withDeltas<DB, TB extends keyof DB>(
  eb: ExpressionBuilder<DB, TB>,
  deploymentId: StringReference<DB, TB>,
  column: StringReference<DB, TB>,
  counter: Expression<string>,
): AliasableExpression<number> {
  return sql<number>`${eb.ref(column)} + coalesce((
    select cast(sum(change) as bigint) from counter_deltas
    where counter_deltas.deployment_id = ${eb.ref(deploymentId)} and counter_deltas.counter = ${counter}), 0)`;
}

const COUNTS = new Prepared<{ deploymentId: string }, { readonly counter: string; readonly count: number }>(
  (db, value) =>
    db
      .selectFrom("deployment_counters")
      .select((one) => [one.ref("status").$castTo<string>().as("counter"), "count"])
      .where("deployment_id", "=", value("deploymentId"))
      .unionAll((eb) =>
        eb
          .selectFrom("counter_deltas")
          .select((one) => ["counter", sql<number>`cast(sum(${one.ref("change")}) as bigint)`.as("count")])
          .where("deployment_id", "=", value("deploymentId"))
          .groupBy("counter"),
      ),
);

const STATUSES: readonly string[] = DEVICE_DEPLOYMENT_STATUSES;
const COLUMNS: readonly string[] = DEPLOYMENT_COUNTS;

function isStatus(counter: string): counter is DeviceDeploymentStatus {
  return STATUSES.includes(counter);
}

function none(): Record<DeviceDeploymentStatus, number> {
  return Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0])) as Record<
    DeviceDeploymentStatus,
    number
  >;
}

/**
 * Counters of deployments and phases.
 *
 * INVARIANTS
 * - On PostgreSQL, what is counted is appended, and {@link fold} adds it to the rows that are read: devices that report
 *   at the same time do not wait for one row. SQLite, with its one writer, adds at once.
 * - A statement that reads a counter adds what was appended: it is exact at any time.
 */
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
      for (const { counter, count } of rows) if (isStatus(counter)) statistics[counter] += Number(count);
      return statistics;
    });
  }

  async ofAll(deploymentIds: readonly string[]): Promise<Map<string, Statistics>> {
    const all = new Map<string, Record<DeviceDeploymentStatus, number>>(deploymentIds.map((id) => [id, none()]));
    for (const some of portions(deploymentIds)) {
      const rows = await this.#db
        .selectFrom("deployment_counters")
        .select((one) => ["deployment_id", one.ref("status").$castTo<string>().as("counter"), "count"])
        .where("deployment_id", "in", some)
        .unionAll((eb) =>
          eb
            .selectFrom("counter_deltas")
            .select((one) => [
              "deployment_id",
              "counter",
              sql<number>`cast(sum(${one.ref("change")}) as bigint)`.as("count"),
            ])
            .where("deployment_id", "in", some)
            .groupBy(["deployment_id", "counter"]),
        )
        .$castTo<{ deployment_id: string; counter: string; count: number }>()
        .execute();
      for (const { deployment_id, counter, count } of rows) {
        const statistics = all.get(deployment_id);
        if (statistics !== undefined && isStatus(counter)) statistics[counter] += Number(count);
      }
    }
    return all;
  }

  async add(deploymentId: string, changes: CounterChanges): Promise<void> {
    await pipeline(this.addStatements(deploymentId, changes));
  }

  /** @param changes Each counter at most once. */
  addStatements(deploymentId: string, changes: CounterChanges): Statement<unknown>[] {
    const real = changes.filter(([, change]) => change !== 0);
    if (real.length === 0) return [];
    if (!isPostgres(this.#db)) return this.#addToRows(deploymentId, real);
    return [APPEND(real.length).statement(this.#db, valuesOf(deploymentId, real))];
  }

  /** Counts a device deployment that changed its status. */
  moveStatements(deploymentId: string, from: DeviceDeploymentStatus, to: DeviceDeploymentStatus): Statement<unknown>[] {
    if (from === to) return [];
    return this.addStatements(deploymentId, [
      [from, -1],
      [to, 1],
    ]);
  }

  /** Counts all device deployments of these statuses under another one. @returns Their number. */
  async moveAll(
    deploymentId: string,
    from: readonly DeviceDeploymentStatus[],
    to: DeviceDeploymentStatus,
  ): Promise<number> {
    const statistics = await this.of(deploymentId);
    const moved = from.filter((status) => statistics[status] !== 0);
    const count = moved.reduce((sum, status) => sum + statistics[status], 0);
    await this.add(deploymentId, [...moved.map((status) => [status, -statistics[status]] as const), [to, count]]);
    return count;
  }

  /** Adds what was appended to the rows that are read. The caller ensures that it runs once at a time. */
  async fold(): Promise<void> {
    if (!isPostgres(this.#db)) return;
    const { rows } = await sql<CounterDeltaTable>`
      with gone as (delete from counter_deltas returning deployment_id, counter, change)
      select deployment_id, counter, cast(sum(change) as bigint) as change from gone
      group by deployment_id, counter order by deployment_id, counter`.execute(this.#db);
    const byDeployment = new Map<string, [Counter, number][]>();
    for (const { deployment_id, counter, change } of rows) {
      const changes = byDeployment.get(deployment_id) ?? [];
      byDeployment.set(deployment_id, changes);
      changes.push([counter as Counter, Number(change)]);
    }
    await pipeline([...byDeployment].flatMap(([id, changes]) => this.#addToRows(id, changes)));
  }

  /** The deployment before its phases: the order in which devices take these rows. */
  #addToRows(deploymentId: string, changes: CounterChanges): Statement<unknown>[] {
    const statuses = changes.filter(([counter]) => isStatus(counter));
    const ofDeployment = { target_count: 0, device_count: 0, admitted_count: 0, total_size_bytes: 0 };
    const ofPhases = new Map<number, Record<PhaseCount, number>>();
    for (const [counter, change] of changes) {
      const [, number, count] = /^phase (\d+) (\w+)$/.exec(counter) ?? [];
      if (number !== undefined) {
        const phase = ofPhases.get(Number(number)) ?? { device_count: 0, succeeded: 0 };
        ofPhases.set(Number(number), { ...phase, [count as PhaseCount]: change });
      } else if (COLUMNS.includes(counter)) ofDeployment[counter as DeploymentCount] += change;
    }
    return [
      ...(statuses.length === 0
        ? []
        : [ADD_STATUSES(statuses.length).statement(this.#db, valuesOf(deploymentId, statuses))]),
      ...(Object.values(ofDeployment).some((change) => change !== 0)
        ? [ADD_TO_DEPLOYMENT.statement(this.#db, { id: deploymentId, ...ofDeployment })]
        : []),
      ...[...ofPhases].map(([number, phase]) =>
        ADD_TO_PHASE.statement(this.#db, { id: deploymentId, number, ...phase }),
      ),
    ];
  }
}
