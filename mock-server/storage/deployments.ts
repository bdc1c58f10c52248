import type { DeploymentStatus } from "@upkeep/shared/protocol";
import { type ExpressionBuilder, type Kysely, type Selectable, type SelectQueryBuilder, sql } from "kysely";
import { DEPLOYMENT_COUNTS, withDeltas } from "./counters.ts";
import { isPostgres } from "./engines/dialect.ts";
import { offsetOf, type Page, type Paging, portions, type SortOrder } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { DeploymentKind, DeploymentTable, PendingEnd, Schema } from "./schema.ts";
import type { Statement } from "./statement.ts";
import { matchesText } from "./text.ts";

export type DeploymentRecord = Readonly<Selectable<DeploymentTable>>;

export interface DeploymentFilter {
  readonly ids?: readonly string[];
  readonly names?: readonly string[];
  /** A substring of the name or of the artifact name, case-insensitive. */
  readonly search?: string;
  readonly status?: DeploymentStatus;
  /** Whether there is a first phase that begins after a time. */
  readonly firstPhase?: { readonly isAfterMs: number; readonly is: boolean };
  readonly kind?: DeploymentKind;
  /** Inclusive. */
  readonly createdFromMs?: number;
  /** Inclusive. */
  readonly createdToMs?: number;
}

/** The sequence that orders deployments. */
const SEQUENCE = "deployment";
/** The maximum number of deployments that are created while one is prepared. */
const RESERVED = 1_000_000;

/** Selects whole deployments: their counts include what was appended. */
export function counted(db: Kysely<Schema>) {
  return selectCounted(db, db.selectFrom("deployments"));
}

function selectCounted(
  db: Kysely<Schema>,
  query: SelectQueryBuilder<Schema, "deployments", unknown>,
): SelectQueryBuilder<Schema, "deployments", DeploymentRecord> {
  const all = query.selectAll("deployments");
  // Of two columns of one name, the later one is read.
  const exact = isPostgres(db)
    ? all.select((eb) =>
        DEPLOYMENT_COUNTS.map((count) =>
          withDeltas(eb, "deployments.id", `deployments.${count}`, sql.val(count)).as(count),
        ),
      )
    : all;
  return exact.$castTo<DeploymentRecord>();
}

const DEPLOYMENT = new Prepared<{ id: string }, DeploymentRecord>((db, value) =>
  counted(db).where("id", "=", value("id")),
);

const BEGIN = new Prepared<{ id: string }, unknown>((db, value) =>
  db
    .updateTable("deployments")
    .set({ status: "inprogress" })
    .where("id", "=", value("id"))
    .where("status", "=", "pending")
    .where("dynamic", "=", 0),
);

const OPEN_DYNAMIC = new Prepared<{ deviceId: string; after: number; before: number }, DeploymentRecord>((db, value) =>
  counted(db)
    .where("dynamic", "=", 1)
    .where("status", "=", "pending")
    .where("sequence", ">", value("after"))
    .where("sequence", "<", value("before"))
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom("device_deployments")
            .select("device_deployments.device_id")
            .whereRef("device_deployments.deployment_id", "=", "deployments.id")
            .where("device_deployments.device_id", "=", value("deviceId")),
        ),
      ),
    )
    .orderBy("sequence"),
);

/** The first phase of a deployment, if it begins after `ms`. */
function firstPhaseAfter(eb: ExpressionBuilder<Schema, "deployments">, ms: number) {
  return eb
    .selectFrom("deployment_phases")
    .select("deployment_phases.deployment_id")
    .whereRef("deployment_phases.deployment_id", "=", "deployments.id")
    .where("deployment_phases.number", "=", 0)
    .where("deployment_phases.start_ms", ">", ms);
}

/** Deployments. */
export class DeploymentRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** The sequence number of the next deployment. */
  async nextSequence(): Promise<number> {
    const row = await this.#db
      .insertInto("sequences")
      .values({ name: SEQUENCE, value: 1 })
      .onConflict((conflict) => conflict.column("name").doUpdateSet((eb) => ({ value: eb("sequences.value", "+", 1) })))
      .returning("value")
      .executeTakeFirstOrThrow();
    return Number(row.value);
  }

  find(id: string): Promise<DeploymentRecord | undefined> {
    return this.findStatement(id).send();
  }

  findStatement(id: string): Statement<DeploymentRecord | undefined> {
    return DEPLOYMENT.statement(this.#db, { id }).as(([found]) => found);
  }

  async findAll(ids: readonly string[]): Promise<DeploymentRecord[]> {
    const records: DeploymentRecord[] = [];
    for (const some of portions(ids)) {
      records.push(...(await counted(this.#db).where("id", "in", some).execute()));
    }
    return records;
  }

  /** The id of an unfinished deployment, or of one being prepared, with the same parameters. */
  async activeLike(parametersSha256: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("deployments")
      .select("id")
      .where("active_sha256", "=", parametersSha256)
      .unionAll((eb) =>
        eb
          .selectFrom("deployment_preparations")
          .select("deployment_id as id")
          .where("active_sha256", "=", parametersSha256),
      )
      .executeTakeFirst();
    return row?.id;
  }

  /** Ids of all unfinished deployments, oldest first. */
  async unfinished(): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("deployments")
      .select("id")
      .where("status", "<>", "finished")
      .orderBy("sequence")
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Ids of unfinished deployments of any of these releases, oldest first. */
  async unfinishedOfReleases(artifactNames: readonly string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const some of portions([...new Set(artifactNames)])) {
      const rows = await this.#db
        .selectFrom("deployments")
        .select("id")
        .where("artifact_name", "in", some)
        .where("status", "<>", "finished")
        .orderBy("sequence")
        .execute();
      ids.push(...rows.map(({ id }) => id));
    }
    return ids;
  }

  /** True if the release has a deployment, or an unfinished one. A deployment that is being prepared counts. */
  async anyOfRelease(artifactName: string, only: "unfinished" | "any"): Promise<boolean> {
    let query = this.#db.selectFrom("deployments").select("id").where("artifact_name", "=", artifactName);
    if (only === "unfinished") query = query.where("status", "<>", "finished");
    const prepared = this.#db
      .selectFrom("deployment_preparations")
      .select("deployment_id as id")
      .where("artifact_name", "=", artifactName);
    const row = await query.unionAll(prepared).limit(1).executeTakeFirst();
    return row !== undefined;
  }

  /**
   * Open dynamic deployments in which the device takes no part yet, newer than `afterSequence` and, if given, older
   * than `beforeSequence`; oldest first.
   */
  openDynamic(deviceId: string, afterSequence: number, beforeSequence?: number): Promise<DeploymentRecord[]> {
    return OPEN_DYNAMIC.all(this.#db, {
      deviceId,
      after: afterSequence,
      before: beforeSequence ?? Number.MAX_SAFE_INTEGER,
    });
  }

  async setControlMap(id: string, mapJson: string | null): Promise<void> {
    await this.#db.updateTable("deployments").set({ update_control_map_json: mapJson }).where("id", "=", id).execute();
  }

  /** In the order of creation, or in reverse. */
  async list(filter: DeploymentFilter, order: SortOrder, paging: Paging): Promise<Page<DeploymentRecord>> {
    let query = this.#db.selectFrom("deployments");
    if (filter.ids !== undefined) query = query.where("id", "in", filter.ids);
    if (filter.names !== undefined) query = query.where("name", "in", filter.names);
    if (filter.status !== undefined) query = query.where("status", "=", filter.status);
    const { firstPhase } = filter;
    if (firstPhase !== undefined) {
      query = query.where((eb) => {
        const exists = eb.exists(firstPhaseAfter(eb, firstPhase.isAfterMs));
        return firstPhase.is ? exists : eb.not(exists);
      });
    }
    if (filter.createdFromMs !== undefined) query = query.where("created_ms", ">=", filter.createdFromMs);
    if (filter.createdToMs !== undefined) query = query.where("created_ms", "<=", filter.createdToMs);
    if (filter.kind !== undefined) query = query.where("kind", "=", filter.kind);
    const { search } = filter;
    if (search !== undefined) {
      const text = { kind: "contains", value: search } as const;
      query = query.where((eb) =>
        eb.or([matchesText(eb.ref("name"), text), matchesText(eb.ref("artifact_name"), text)]),
      );
    }
    const counted = await query.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    const items = await selectCounted(this.#db, query)
      .orderBy("sequence", order)
      .limit(paging.perPage)
      .offset(offsetOf(paging))
      .execute();
    return { items, total: Number(counted.count) };
  }

  async insert(deployment: DeploymentRecord): Promise<void> {
    await this.#db.insertInto("deployments").values(deployment).execute();
  }

  /** Sets the status of a pending deployment to a list of devices: one of them has begun. */
  beginStatement(id: string): Statement<unknown> {
    return BEGIN.statement(this.#db, { id });
  }

  /** @param finishedMs The end of a finished deployment, after which the same deployment may be created again. */
  async setStatus(id: string, status: DeploymentStatus, finishedMs: number | null): Promise<void> {
    await this.#db
      .updateTable("deployments")
      .set({ status, finished_ms: finishedMs, ...(finishedMs === null ? {} : { active_sha256: null }) })
      .where("id", "=", id)
      .execute();
  }

  /** @param pause `null` resumes the deployment. */
  async setPause(id: string, pause: { readonly sinceMs: number; readonly reason: string } | null): Promise<void> {
    await this.#db
      .updateTable("deployments")
      .set({ paused_ms: pause?.sinceMs ?? null, pause_reason: pause?.reason ?? null })
      .where("id", "=", id)
      .execute();
  }

  async setOpenToAll(id: string, sinceMs: number | null): Promise<void> {
    await this.#db.updateTable("deployments").set({ open_to_all_ms: sinceMs }).where("id", "=", id).execute();
  }

  /** Unfinished deployments that limit silence, oldest first. */
  limitingSilence(): Promise<DeploymentRecord[]> {
    return counted(this.#db)
      .where("silent_after_ms", "is not", null)
      .where("status", "<>", "finished")
      .orderBy("sequence")
      .execute();
  }

  /**
   * Reserves a sequence number for a deployment that is published later. It is greater than those of up to
   * {@link RESERVED} deployments that are created meanwhile.
   */
  async reserveSequence(): Promise<number> {
    const drawn = await this.#db
      .selectFrom("sequences")
      .select("value")
      .where("name", "=", SEQUENCE)
      .executeTakeFirst();
    const used = await this.#db
      .selectFrom("deployments")
      .select((eb) => eb.fn.max("sequence").as("sequence"))
      .unionAll((eb) => eb.selectFrom("deployment_preparations").select((one) => one.fn.max("sequence").as("sequence")))
      .execute();
    return Math.max(Number(drawn?.value ?? 0), ...used.map(({ sequence }) => Number(sequence ?? 0))) + RESERVED;
  }

  /** Advances the sequence to a reserved number. @throws Error if it has passed that number. */
  async reachSequence(reserved: number): Promise<void> {
    const { value } = await this.#db
      .insertInto("sequences")
      .values({ name: SEQUENCE, value: reserved })
      .onConflict((conflict) =>
        conflict.column("name").doUpdateSet((eb) => ({
          value: eb.case().when("sequences.value", "<", reserved).then(reserved).else(-1).end(),
        })),
      )
      .returning("value")
      .executeTakeFirstOrThrow();
    if (Number(value) !== reserved) throw new Error("too many deployments were created while one was prepared");
  }

  /** @param pendingEnd `null`: the end is applied to all device deployments. */
  async setPendingEnd(id: string, pendingEnd: PendingEnd | null): Promise<void> {
    await this.#db.updateTable("deployments").set({ pending_end: pendingEnd }).where("id", "=", id).execute();
  }

  /** Finished deployments whose end is not applied to all device deployments yet, oldest first. */
  withPendingEnd(): Promise<DeploymentRecord[]> {
    return counted(this.#db)
      .where("status", "=", "finished")
      .where("pending_end", "is not", null)
      .orderBy("sequence")
      .execute();
  }
}
