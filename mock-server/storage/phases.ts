import type { Kysely, Selectable } from "kysely";
import { portions } from "./paging.ts";
import type { DeploymentPhaseTable, Schema } from "./schema.ts";

export type PhaseRecord = Readonly<Selectable<DeploymentPhaseTable>>;

/** What a device that ended says about the release, as the phase counts it. */
export type PhaseOutcome = "succeeded" | "failed" | "excluded";

/** Phases of deployments. */
export class PhaseRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** In their order. */
  of(deploymentId: string): Promise<PhaseRecord[]> {
    return this.ofAll([deploymentId]);
  }

  /** Those of each deployment in their order. */
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

  /** One more device was admitted in it. */
  async countDevice(deploymentId: string, number: number): Promise<void> {
    await this.#db
      .updateTable("deployment_phases")
      .set((eb) => ({ device_count: eb("device_count", "+", 1) }))
      .where("deployment_id", "=", deploymentId)
      .where("number", "=", number)
      .execute();
  }

  /** One of its devices has ended. */
  async countOutcome(deploymentId: string, number: number, outcome: PhaseOutcome): Promise<void> {
    await this.#db
      .updateTable("deployment_phases")
      .set((eb) => ({ [outcome]: eb(outcome, "+", 1) }))
      .where("deployment_id", "=", deploymentId)
      .where("number", "=", number)
      .execute();
  }

  /** What failed up to now is known, and no reason to pause again. */
  async tolerateFailures(deploymentId: string): Promise<void> {
    await this.#db
      .updateTable("deployment_phases")
      .set((eb) => ({ tolerated: eb.ref("failed") }))
      .where("deployment_id", "=", deploymentId)
      .execute();
  }
}
