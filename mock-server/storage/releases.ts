import type { Kysely } from "kysely";
import { sql } from "kysely";
import { offsetOf, type Page, type Paging, type SortOrder } from "./paging.ts";
import type { ArtifactValueTable, Schema } from "./schema.ts";
import { matchesText, type TextFilter } from "./text.ts";

/** All artifacts of one name. */
export interface ReleaseRecord {
  readonly name: string;
  /** The latest change of one of its artifacts. */
  readonly modifiedMs: number;
  readonly artifactCount: number;
}

export interface ReleaseFilter {
  readonly name?: TextFilter;
  /** Matches a device type of one of its artifacts. */
  readonly deviceType?: TextFilter;
  /** Matches a payload type of one of its artifacts. */
  readonly payloadType?: TextFilter;
  readonly description?: TextFilter;
  /** It has one of these tags, in lower case. */
  readonly tags?: readonly string[];
}

export interface ReleaseSort {
  readonly by: "name" | "modified" | "artifacts_count";
  readonly order: SortOrder;
}

/** Releases. A release exists while it has an artifact. */
export class ReleaseRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** @param paging Everything when absent. */
  async list(filter: ReleaseFilter, sort: ReleaseSort, paging?: Paging): Promise<Page<ReleaseRecord>> {
    const grouped = this.#matching(filter);
    const column = { name: "artifacts.name", modified: "modified", artifacts_count: "count" } as const;
    let query = grouped
      .select((eb) => [
        "artifacts.name",
        eb.fn.max("artifacts.modified_ms").as("modified"),
        eb.fn.countAll<number>().as("count"),
      ])
      .groupBy("artifacts.name")
      .orderBy(column[sort.by], sort.order)
      .orderBy("artifacts.name");
    if (paging !== undefined) query = query.limit(paging.perPage).offset(offsetOf(paging));
    const items = (await query.execute()).map((row) => ({
      name: row.name,
      modifiedMs: Number(row.modified),
      artifactCount: Number(row.count),
    }));
    if (paging === undefined) return { items, total: items.length };
    const counted = await grouped
      .select((eb) => eb.fn.count<number>("artifacts.name").distinct().as("count"))
      .executeTakeFirstOrThrow();
    return { items, total: Number(counted.count) };
  }

  #matching(filter: ReleaseFilter) {
    let query = this.#db.selectFrom("artifacts").where("artifacts.removed_ms", "is", null);
    const { name, description, deviceType, payloadType, tags } = filter;
    if (tags !== undefined) {
      query = query.where(
        "artifacts.name",
        "in",
        this.#db.selectFrom("release_tags").select("release_name").where("tag", "in", tags),
      );
    }
    if (name !== undefined) query = query.where((eb) => matchesText(eb.ref("artifacts.name"), name));
    if (description !== undefined) {
      query = query.where("artifacts.name", "in", this.#namesWhere(description, "description"));
    }
    if (deviceType !== undefined) {
      query = query.where("artifacts.name", "in", this.#namesWhere(deviceType, "device_type"));
    }
    if (payloadType !== undefined) {
      query = query.where("artifacts.name", "in", this.#namesWhere(payloadType, "payload_type"));
    }
    return query;
  }

  /** Names of releases with at least one matching artifact; lists show all artifacts of such a release. */
  #namesWhere(filter: TextFilter, where: "description" | ArtifactValueTable["kind"]) {
    const present = this.#db
      .selectFrom("artifacts as other")
      .select("other.name")
      .where("other.removed_ms", "is", null);
    if (where === "description") return present.where((eb) => matchesText(eb.ref("other.description"), filter));
    return present.where((eb) =>
      eb.exists(
        eb
          .selectFrom("artifact_values")
          .select(sql<number>`1`.as("found"))
          .whereRef("artifact_values.artifact_id", "=", "other.id")
          .where("artifact_values.kind", "=", where)
          .where((value) => matchesText(value.ref("artifact_values.value"), filter)),
      ),
    );
  }
}
