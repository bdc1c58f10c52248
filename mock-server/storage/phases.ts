import { type Kysely, type Selectable, sql } from "kysely";
import { PHASE_COUNTS, withDeltas } from "./counters.ts";
import { isPostgres } from "./engines/dialect.ts";
import { portions } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { DeploymentPhaseTable, Schema } from "./schema.ts";
import { pipeline } from "./statement.ts";

export type PhaseRecord = Readonly<Selectable<DeploymentPhaseTable>>;

/** How a phase counts a device that ended. */
export type PhaseOutcome = "succeeded" | "failed" | "excluded";

/** Selects whole phases: their counts include what was appended. */
function countedPhases(db: Kysely<Schema>) {
  const all = db.selectFrom("deployment_phases").selectAll("deployment_phases");
  // Of two columns of one name, the later one is read.
  const exact = isPostgres(db)
    ? all.select((eb) =>
        PHASE_COUNTS.map((count) =>
          withDeltas(
            eb,
            "deployment_phases.deployment_id",
            `deployment_phases.${count}`,
            sql<string>`concat('phase ', ${eb.ref("deployment_phases.number")}, ${sql.lit(` ${count}`)})`,
          ).as(count),
        ),
      )
    : all;
  return exact.$castTo<PhaseRecord>();
}

const OF_ONE = new Prepared<{ deploymentId: string }, PhaseRecord>((db, value) =>
  countedPhases(db).where("deployment_id", "=", value("deploymentId")).orderBy("number"),
);

const counting = (outcome: "failed" | "excluded") =>
  new Prepared<{ deploymentId: string; number: number }, unknown>((db, value) =>
    db
      .updateTable("deployment_phases")
      .set((eb) => ({ [outcome]: eb(outcome, "+", 1) }))
      .where("deployment_id", "=", value("deploymentId"))
      .where("number", "=", value("number")),
  );

/** The deployment, not its phase: the device may have taken that row before, as the first that begins. */
const LOCK = new Prepared<{ deploymentId: string }, unknown>((db, value) =>
  db.selectFrom("deployments").select("id").where("id", "=", value("deploymentId")).forNoKeyUpdate(),
);

const COUNT = { failed: counting("failed"), excluded: counting("excluded") } as const;

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
      const rows = await countedPhases(this.#db)
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

  /**
   * Counts a device that ended without success. Such devices of a deployment are in order, until the end of the
   * transaction: each sees those before it, so no threshold is passed unseen. The row of the deployment is taken first,
   * as `fold` does.
   * @returns The phases with it.
   */
  async countLoss(deploymentId: string, number: number, outcome: "failed" | "excluded"): Promise<PhaseRecord[]> {
    const counted = [
      COUNT[outcome].statement(this.#db, { deploymentId, number }),
      OF_ONE.statement(this.#db, { deploymentId }),
    ] as const;
    // SQLite has one writer.
    if (!isPostgres(this.#db)) return (await pipeline(counted))[1];
    return (await pipeline([LOCK.statement(this.#db, { deploymentId }), ...counted]))[2];
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
