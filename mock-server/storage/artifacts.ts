import type { Depends, Provides } from "@upkeep/shared/compatibility";
import type { Kysely, Selectable, SelectQueryBuilder } from "kysely";
import { sql } from "kysely";
import { offsetOf, type Page, type Paging, portions, type SortOrder } from "./paging.ts";
import { Prepared } from "./prepared.ts";
import type { ArtifactTable, Schema } from "./schema.ts";
import { matchesText, type TextFilter } from "./text.ts";

/** A file of a payload, as in the artifact's manifest and tar. */
export interface PayloadFileRecord {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
}

/** One payload of an artifact. */
export interface PayloadRecord {
  /** `null`: an empty payload. */
  readonly type: string | null;
  readonly files: readonly PayloadFileRecord[];
  /** The payload's meta-data; absent if it has none. */
  readonly metaData?: Readonly<Record<string, unknown>>;
}

/** The metadata of an artifact; a blob has its bytes. */
export interface ArtifactRecord {
  readonly id: string;
  /** The release it belongs to. */
  readonly name: string;
  readonly description: string;
  readonly formatVersion: number;
  /** It has a signature, which the server does not verify. */
  readonly signed: boolean;
  readonly sizeBytes: number;
  /** Of the whole artifact. */
  readonly sha256: string;
  readonly deviceTypes: readonly string[];
  /** The depends of header-info and of all payloads, without `device_type`. */
  readonly depends: Depends;
  /** `artifact_name` and the provides of all payloads. */
  readonly provides: Provides;
  readonly clearsProvides: readonly string[];
  readonly payloads: readonly PayloadRecord[];
  readonly modifiedMs: number;
}

export interface ArtifactFilter {
  readonly name?: TextFilter;
  readonly description?: TextFilter;
  /** Matches one of its device types. */
  readonly deviceType?: TextFilter;
}

export interface ArtifactSort {
  readonly by: "name" | "modified";
  readonly order: SortOrder;
}

/** Selects artifacts that are not deleted. */
function present(db: Kysely<Schema>) {
  return db.selectFrom("artifacts").where("artifacts.removed_ms", "is", null);
}

const PRESENT = new Prepared<{ id: string }, Selectable<ArtifactTable>>((db, value) =>
  present(db).selectAll().where("artifacts.id", "=", value("id")),
);

const OF_RELEASE = new Prepared<{ name: string }, Selectable<ArtifactTable>>((db, value) =>
  present(db).selectAll().where("artifacts.name", "=", value("name")).orderBy("artifacts.id"),
);

/** Artifacts. Only {@link ArtifactRecords.everKnown} finds deleted ones, which device deployments still refer to. */
export class ArtifactRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async find(id: string): Promise<ArtifactRecord | undefined> {
    const row = await PRESENT.first(this.#db, { id });
    return row === undefined ? undefined : recordOf(row);
  }

  /** Includes deleted artifacts. */
  async everKnown(ids: readonly string[]): Promise<Map<string, ArtifactRecord>> {
    const known = new Map<string, ArtifactRecord>();
    for (const some of portions(ids)) {
      const rows = await this.#db.selectFrom("artifacts").selectAll().where("id", "in", some).execute();
      for (const row of rows) known.set(row.id, recordOf(row));
    }
    return known;
  }

  /** The artifacts of these releases, by name and then id. */
  async ofReleases(names: readonly string[]): Promise<ArtifactRecord[]> {
    const records: ArtifactRecord[] = [];
    for (const some of portions(names)) {
      const rows = await present(this.#db)
        .selectAll()
        .where("artifacts.name", "in", some)
        .orderBy("artifacts.name")
        .orderBy("artifacts.id")
        .execute();
      records.push(...rows.map(recordOf));
    }
    return records;
  }

  /** The artifacts of a release, by id. */
  async ofRelease(name: string): Promise<ArtifactRecord[]> {
    return (await OF_RELEASE.all(this.#db, { name })).map(recordOf);
  }

  /** The ids of the artifacts of each of these releases. */
  async idsOfReleases(names: readonly string[]): Promise<Map<string, string[]>> {
    const ids = new Map<string, string[]>();
    for (const some of portions(names)) {
      const rows = await present(this.#db)
        .select(["artifacts.id", "artifacts.name"])
        .where("artifacts.name", "in", some)
        .orderBy("artifacts.id")
        .execute();
      for (const row of rows) ids.set(row.name, [...(ids.get(row.name) ?? []), row.id]);
    }
    return ids;
  }

  /** The total size in bytes. */
  async sizeBytes(): Promise<number> {
    const { sum } = await present(this.#db)
      .select((eb) => eb.fn.sum<number | string | null>("size_bytes").as("sum"))
      .executeTakeFirstOrThrow();
    return Number(sum ?? 0);
  }

  /** @param paging Everything when absent. */
  async list(filter: ArtifactFilter, sort: ArtifactSort, paging?: Paging): Promise<Page<ArtifactRecord>> {
    const query = filtered(present(this.#db), filter);
    const column = sort.by === "name" ? "artifacts.name" : "artifacts.modified_ms";
    let rows = query.selectAll("artifacts").orderBy(column, sort.order).orderBy("artifacts.id");
    if (paging === undefined) {
      const items = (await rows.execute()).map(recordOf);
      return { items, total: items.length };
    }
    const counted = await query.select((eb) => eb.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
    rows = rows.limit(paging.perPage).offset(offsetOf(paging));
    return { items: (await rows.execute()).map(recordOf), total: Number(counted.count) };
  }

  /** The artifact of the release that already has one of these combinations, and the combination. */
  async owner(
    name: string,
    combinations: readonly string[],
  ): Promise<{ readonly artifactId: string; readonly combination: string } | undefined> {
    for (const some of portions(combinations)) {
      const row = await this.#db
        .selectFrom("artifact_combinations")
        .select(["artifact_id", "combination_sha256"])
        .where("artifact_name", "=", name)
        .where("combination_sha256", "in", some)
        .limit(1)
        .executeTakeFirst();
      if (row !== undefined) return { artifactId: row.artifact_id, combination: row.combination_sha256 };
    }
    return undefined;
  }

  /** @param combinations SHA-256 of each combination of its depends. */
  async insert(artifact: ArtifactRecord, combinations: readonly string[]): Promise<void> {
    await this.#db.insertInto("artifacts").values(rowOf(artifact)).execute();
    const payloadTypes = new Set(artifact.payloads.flatMap(({ type }) => (type === null ? [] : [type])));
    const values = [
      ...[...new Set(artifact.deviceTypes)].map((value) => ({ kind: "device_type" as const, value })),
      ...[...payloadTypes].map((value) => ({ kind: "payload_type" as const, value })),
    ];
    for (const some of portions(values)) {
      await this.#db
        .insertInto("artifact_values")
        .values(some.map((value) => ({ artifact_id: artifact.id, ...value })))
        .execute();
    }
    for (const some of portions(combinations)) {
      await this.#db
        .insertInto("artifact_combinations")
        .values(
          some.map((combination) => ({
            artifact_name: artifact.name,
            combination_sha256: combination,
            artifact_id: artifact.id,
          })),
        )
        .execute();
    }
  }

  async setDescription(id: string, description: string, nowMs: number): Promise<void> {
    await this.#db.updateTable("artifacts").set({ description, modified_ms: nowMs }).where("id", "=", id).execute();
  }

  /** Deletes the record. */
  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("artifacts").where("id", "=", id).execute();
  }

  /** Marks the artifact as deleted, because device deployments refer to it. */
  async remove(id: string, nowMs: number): Promise<void> {
    await this.#db.deleteFrom("artifact_combinations").where("artifact_id", "=", id).execute();
    await this.#db.deleteFrom("artifact_indexes").where("artifact_id", "=", id).execute();
    await this.#db.updateTable("artifacts").set({ removed_ms: nowMs }).where("id", "=", id).execute();
  }
}

function filtered<O>(query: SelectQueryBuilder<Schema, "artifacts", O>, filter: ArtifactFilter) {
  let result = query;
  const { name, description, deviceType } = filter;
  if (name !== undefined) result = result.where((eb) => matchesText(eb.ref("artifacts.name"), name));
  if (description !== undefined) {
    result = result.where((eb) => matchesText(eb.ref("artifacts.description"), description));
  }
  if (deviceType !== undefined) {
    result = result.where((eb) =>
      eb.exists(
        eb
          .selectFrom("artifact_values")
          .select(sql<number>`1`.as("found"))
          .whereRef("artifact_values.artifact_id", "=", "artifacts.id")
          .where("artifact_values.kind", "=", "device_type")
          .where((value) => matchesText(value.ref("artifact_values.value"), deviceType)),
      ),
    );
  }
  return result;
}

function rowOf(artifact: ArtifactRecord): Selectable<ArtifactTable> {
  return {
    id: artifact.id,
    name: artifact.name,
    description: artifact.description,
    format_version: artifact.formatVersion,
    signed: artifact.signed ? 1 : 0,
    size_bytes: artifact.sizeBytes,
    sha256: artifact.sha256,
    device_types_json: JSON.stringify(artifact.deviceTypes),
    depends_json: JSON.stringify(artifact.depends),
    provides_json: JSON.stringify(artifact.provides),
    clears_provides_json: JSON.stringify(artifact.clearsProvides),
    payloads_json: JSON.stringify(artifact.payloads),
    modified_ms: artifact.modifiedMs,
    removed_ms: null,
  };
}

export function recordOf(row: Selectable<ArtifactTable>): ArtifactRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    formatVersion: row.format_version,
    signed: row.signed === 1,
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    deviceTypes: JSON.parse(row.device_types_json) as string[],
    depends: JSON.parse(row.depends_json) as Depends,
    provides: JSON.parse(row.provides_json) as Provides,
    clearsProvides: JSON.parse(row.clears_provides_json) as string[],
    payloads: JSON.parse(row.payloads_json) as PayloadRecord[],
    modifiedMs: row.modified_ms,
  };
}
