import type { Kysely } from "kysely";
import { Prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";

/** The limits of places; absent: none. */
export interface PlaceLimits {
  /** Of the phases that have begun. */
  readonly inPhases?: number;
  /** Of the deployment. */
  readonly inAll?: number;
}

const TAKE = new Prepared<{ id: string; phased: 0 | 1; inPhases: number; inAll: number }, { readonly in_all: number }>(
  (db, value) =>
    db
      .updateTable("deployment_places")
      .set((eb) => ({ in_phases: eb("in_phases", "+", value("phased")), in_all: eb("in_all", "+", 1) }))
      .where("deployment_id", "=", value("id"))
      .where("in_phases", "<", value("inPhases"))
      .where("in_all", "<", value("inAll"))
      .returning("in_all"),
);

/**
 * The taken places of deployments that limit them. The row orders the devices that want one: each decides on what the
 * others have committed.
 */
export class PlaceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async insert(deploymentId: string): Promise<void> {
    await this.#db
      .insertInto("deployment_places")
      .values({ deployment_id: deploymentId, in_phases: 0, in_all: 0 })
      .execute();
  }

  /**
   * Takes a place.
   * @param phased The place is one of a phase.
   * @returns False if a limit is reached.
   */
  async take(deploymentId: string, phased: boolean, { inPhases, inAll }: PlaceLimits): Promise<boolean> {
    const row = await TAKE.first(this.#db, {
      id: deploymentId,
      phased: phased ? 1 : 0,
      inPhases: inPhases ?? Number.MAX_SAFE_INTEGER,
      inAll: inAll ?? Number.MAX_SAFE_INTEGER,
    });
    return row !== undefined;
  }
}
