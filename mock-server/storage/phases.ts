import type { Kysely, Selectable } from "kysely";
import { portions } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { DeploymentPhaseTable, Schema } from "./schema.ts";

export type PhaseRecord = Readonly<Selectable<DeploymentPhaseTable>>;

/** How a phase counts a device that ended. */
export type PhaseOutcome = "succeeded" | "failed" | "excluded";

const OF_ONE = new Prepared<{ deploymentId: string }, PhaseRecord>((db, value) =>
  db.selectFrom("deployment_phases").selectAll().where("deployment_id", "=", value("deploymentId")).orderBy("number"),
);

type Counter = "device_count" | PhaseOutcome;
type PhaseKey = { deploymentId: string; number: number };

const counting = (counter: Counter): Prepared<PhaseKey, unknown> =>
  new Prepared((db, value) =>
    db
      .updateTable("deployment_phases")
      .set((eb) => ({ [counter]: eb(counter, "+", 1) }))
      .where("deployment_id", "=", value("deploymentId"))
      .where("number", "=", value("number")),
  );

const COUNT = {
  device_count: counting("device_count"),
  succeeded: counting("succeeded"),
  failed: counting("failed"),
  excluded: counting("excluded"),
} as const satisfies Record<Counter, unknown>;

/** Phases of deployments. */
export class PhaseRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** The phases of a deployment, in order. */
  of(deploymentId: string): Promise<PhaseRecord[]> {
    return OF_ONE.all(this.#db, { deploymentId });
  }

  /** The phases of these deployments, in order. */
  async ofAll(deploymentIds: readonly string[]): Promise<PhaseRecord[]> {
    const found: PhaseRecord[] = [];
    for (const some of portions(deploymentIds)) {
      const rows = await this.#db
        .selectFrom("deployment_phases")
        .selectAll()
        .where("deployment_id", "in", some)
        .orderBy("deployment_id")
        .orderBy("number")
        .execute();
      found.push(...rows);
    }
    return found;
  }

  async insert(phases: readonly PhaseRecord[]): Promise<void> {
    if (phases.length > 0)
      await this.#db
        .insertInto("deployment_phases")
        .values([...phases])
        .execute();
  }

  /** Counts an admitted device. */
  async countDevice(deploymentId: string, number: number): Promise<void> {
    await COUNT.device_count.all(this.#db, { deploymentId, number });
  }

  /** Counts a device that ended. */
  async countOutcome(deploymentId: string, number: number, outcome: PhaseOutcome): Promise<void> {
    await COUNT[outcome].all(this.#db, { deploymentId, number });
  }

  /** Acknowledges the failures so far: they no longer count towards a pause. */
  async tolerateFailures(deploymentId: string): Promise<void> {
    await this.#db
      .updateTable("deployment_phases")
      .set((eb) => ({ tolerated: eb.ref("failed") }))
      .where("deployment_id", "=", deploymentId)
      .execute();
  }
}
