import type { Kysely } from "kysely";
import { portions } from "./paging.ts";
import type { Schema } from "./schema.ts";

/** Notes and tags of releases. */
export class ReleaseMetadataRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async notes(names: readonly string[]): Promise<Map<string, string>> {
    const notes = new Map<string, string>();
    for (const some of portions(names)) {
      const rows = await this.#db.selectFrom("release_notes").selectAll().where("release_name", "in", some).execute();
      for (const row of rows) notes.set(row.release_name, row.notes);
    }
    return notes;
  }

  async setNotes(name: string, notes: string): Promise<void> {
    await this.#db
      .insertInto("release_notes")
      .values({ release_name: name, notes })
      .onConflict((conflict) => conflict.column("release_name").doUpdateSet({ notes }))
      .execute();
  }

  /** Sorted. */
  async tags(names: readonly string[]): Promise<Map<string, string[]>> {
    const tags = new Map<string, string[]>();
    for (const some of portions(names)) {
      const rows = await this.#db
        .selectFrom("release_tags")
        .selectAll()
        .where("release_name", "in", some)
        .orderBy("tag")
        .execute();
      for (const row of rows) tags.set(row.release_name, [...(tags.get(row.release_name) ?? []), row.tag]);
    }
    return tags;
  }

  /** Replaces the tags of a release. */
  async setTags(name: string, tags: readonly string[]): Promise<void> {
    await this.#db.deleteFrom("release_tags").where("release_name", "=", name).execute();
    if (tags.length > 0) {
      await this.#db
        .insertInto("release_tags")
        .values(tags.map((tag) => ({ release_name: name, tag })))
        .execute();
    }
  }

  /** Every tag of any release, sorted. */
  async allTags(): Promise<string[]> {
    const rows = await this.#db.selectFrom("release_tags").select("tag").distinct().orderBy("tag").execute();
    return rows.map(({ tag }) => tag);
  }

  /** The payload types of all artifacts, including deleted ones that were deployed, sorted. */
  async allTypes(): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("artifact_values")
      .select("value")
      .distinct()
      .where("kind", "=", "payload_type")
      .orderBy("value")
      .execute();
    return rows.map(({ value }) => value);
  }

  async forget(name: string): Promise<void> {
    await this.#db.deleteFrom("release_notes").where("release_name", "=", name).execute();
    await this.#db.deleteFrom("release_tags").where("release_name", "=", name).execute();
  }
}
