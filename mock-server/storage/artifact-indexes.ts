import type { Kysely, Selectable } from "kysely";
import { type ArtifactRecord, recordOf } from "./artifacts.ts";
import { portions } from "./paging.ts";
import type { ArtifactIndexTable, Schema } from "./schema.ts";

/** The index of an artifact for adaptive downloads. */
export interface ArtifactIndex {
  readonly index: { readonly blob: string; readonly sizeBytes: number; readonly sha256: string };
  readonly chunks: { readonly blob: string; readonly sizeBytes: number };
}

/** Why an artifact has no index. */
export interface NoIndex {
  readonly fault: string;
}

/** Indexes of artifacts. */
export class ArtifactIndexRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Absent: not indexed yet. */
  async of(artifactIds: readonly string[]): Promise<Map<string, ArtifactIndex | NoIndex>> {
    const found = new Map<string, ArtifactIndex | NoIndex>();
    for (const some of portions(artifactIds)) {
      const rows = await this.#db.selectFrom("artifact_indexes").selectAll().where("artifact_id", "in", some).execute();
      for (const row of rows) found.set(row.artifact_id, indexOf(row));
    }
    return found;
  }

  /** All that exist, with their artifacts. */
  async all(): Promise<{ readonly artifactId: string; readonly index: ArtifactIndex }[]> {
    const rows = await this.#db
      .selectFrom("artifact_indexes")
      .selectAll()
      .where("index_blob", "is not", null)
      .execute();
    return rows.flatMap((row) => {
      const index = indexOf(row);
      return "fault" in index ? [] : [{ artifactId: row.artifact_id, index }];
    });
  }

  /** Artifacts that were not indexed yet, newest first. */
  async missing(): Promise<ArtifactRecord[]> {
    const rows = await this.#db
      .selectFrom("artifacts")
      .selectAll("artifacts")
      .leftJoin("artifact_indexes", "artifact_indexes.artifact_id", "artifacts.id")
      .where("artifacts.removed_ms", "is", null)
      .where("artifact_indexes.artifact_id", "is", null)
      .orderBy("artifacts.modified_ms", "desc")
      .orderBy("artifacts.id")
      .execute();
    return rows.map(recordOf);
  }

  /** The bytes of all indexes with their chunks. */
  async sizeBytes(): Promise<number> {
    const { index, chunks } = await this.#db
      .selectFrom("artifact_indexes")
      .select((eb) => [
        eb.fn.sum<number | string | null>("index_bytes").as("index"),
        eb.fn.sum<number | string | null>("chunks_bytes").as("chunks"),
      ])
      .executeTakeFirstOrThrow();
    return Number(index ?? 0) + Number(chunks ?? 0);
  }

  /** @returns False if there was a row already. */
  async insert(artifactId: string, index: ArtifactIndex | NoIndex): Promise<boolean> {
    const none = "fault" in index ? index : undefined;
    const made = "fault" in index ? undefined : index;
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto("artifact_indexes")
      .values({
        artifact_id: artifactId,
        index_blob: made?.index.blob ?? null,
        index_bytes: made?.index.sizeBytes ?? null,
        index_sha256: made?.index.sha256 ?? null,
        chunks_blob: made?.chunks.blob ?? null,
        chunks_bytes: made?.chunks.sizeBytes ?? null,
        fault: none?.fault ?? null,
      })
      .onConflict((conflict) => conflict.column("artifact_id").doNothing())
      .executeTakeFirstOrThrow();
    return Number(numInsertedOrUpdatedRows ?? 0) === 1;
  }

  async delete(artifactIds: readonly string[]): Promise<void> {
    for (const some of portions(artifactIds)) {
      await this.#db.deleteFrom("artifact_indexes").where("artifact_id", "in", some).execute();
    }
  }
}

function indexOf(row: Selectable<ArtifactIndexTable>): ArtifactIndex | NoIndex {
  const { index_blob, index_sha256, chunks_blob } = row;
  if (index_blob === null || index_sha256 === null || chunks_blob === null) return { fault: row.fault ?? "" };
  return {
    index: { blob: index_blob, sizeBytes: Number(row.index_bytes), sha256: index_sha256 },
    chunks: { blob: chunks_blob, sizeBytes: Number(row.chunks_bytes) },
  };
}
