import type { Clock } from "@upkeep/shared/system";
import { DomainError, invalid } from "../../errors.ts";
import type {
  ArtifactRecord,
  Page,
  Paging,
  Records,
  ReleaseFilter,
  ReleaseRecord,
  ReleaseSort,
  Storage,
} from "../../storage/index.ts";
import { blobsOf } from "./blobs.ts";

/** A release with its artifacts, sorted by id. */
export interface Release extends ReleaseRecord {
  readonly artifacts: readonly ArtifactRecord[];
  readonly notes: string;
  /** Lower case, sorted. */
  readonly tags: readonly string[];
}

const NOTES_BYTES_MAX = 1024;
const TAG = /^[A-Za-z0-9_.-]{1,1024}$/;
const TAGS_MAX = 20;
const DISTINCT_TAGS_MAX = 100;

/** Releases: their notes and tags, and their deletion. A release exists while it has an artifact. */
export class Releases {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** @throws DomainError (not-found) */
  get(name: string): Promise<Release> {
    return this.#storage.read((records) => find(records, name));
  }

  /** @param paging Everything when absent. */
  list(filter: ReleaseFilter, sort: ReleaseSort, paging?: Paging): Promise<Page<Release>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.releases.list(filter, sort, paging);
      return { items: await presentReleases(records, items), total };
    });
  }

  /** @throws DomainError (not-found); (invalid) if they are too long, or not printable. */
  async setNotes(name: string, notes: string): Promise<void> {
    if (Buffer.byteLength(notes) > NOTES_BYTES_MAX) throw invalid(`notes: must have at most ${NOTES_BYTES_MAX} bytes`);
    if (/[^\P{C}\n\r\t]/u.test(notes)) throw invalid("notes: must be printable");
    await this.#storage.transaction(async (records) => {
      await find(records, name);
      await records.releaseMetadata.setNotes(name, notes);
    });
  }

  /**
   * Replaces its tags; stored in lower case, each once.
   * @throws DomainError (not-found); (invalid) if one is malformed or they are too many; (too-many-distinct-tags)
   */
  async setTags(name: string, tags: readonly string[]): Promise<void> {
    for (const tag of tags) {
      if (!TAG.test(tag))
        throw invalid(`tags: must have 1 to 1024 of the characters A-Z a-z 0-9 - _ ., not "${tag.slice(0, 60)}"`);
    }
    const distinct = [...new Set(tags.map((tag) => tag.toLowerCase()))].sort();
    if (distinct.length > TAGS_MAX) throw invalid(`tags: a release has at most ${TAGS_MAX}, not ${distinct.length}`);
    await this.#storage.transaction(async (records) => {
      await find(records, name);
      await records.releaseMetadata.setTags(name, distinct);
      if ((await records.releaseMetadata.allTags()).length > DISTINCT_TAGS_MAX) {
        throw new DomainError("too-many-distinct-tags", { max: DISTINCT_TAGS_MAX });
      }
    });
  }

  /** Every tag of any release, sorted. */
  allTags(): Promise<readonly string[]> {
    return this.#storage.read(({ releaseMetadata }) => releaseMetadata.allTags());
  }

  /** Every payload type, sorted. */
  allTypes(): Promise<readonly string[]> {
    return this.#storage.read(({ releaseMetadata }) => releaseMetadata.allTypes());
  }

  /**
   * Deletes releases with all their artifacts; unknown names are ignored.
   * @returns The names of their blobs, which can be removed.
   * @throws DomainError (invalid) if none is named; (releases-in-use) while an unfinished deployment has one of
   *   them.
   */
  async delete(names: readonly string[]): Promise<readonly string[]> {
    if (names.length === 0) throw invalid("name: at least one release must be named");
    return this.#storage.transaction(async (records) => {
      const active = await records.deployments.unfinishedOfReleases(names);
      if (active.length > 0) {
        throw new DomainError("releases-in-use", { deploymentIds: active });
      }
      const artifacts = await records.artifacts.ofReleases([...new Set(names)]);
      const blobs = await blobsOf(
        records,
        artifacts.map(({ id }) => id),
      );
      for (const { id, name } of artifacts) {
        if (await records.deployments.anyOfRelease(name, "any")) await records.artifacts.remove(id, this.#clock.now());
        else await records.artifacts.delete(id);
      }
      for (const name of names) await records.releaseMetadata.forget(name);
      return blobs;
    });
  }
}

async function find(records: Records, name: string): Promise<Release> {
  const named = { name: { kind: "exact", values: [name] } } as const;
  const { items } = await records.releases.list(named, { by: "name", order: "asc" });
  const [release] = await presentReleases(records, items);
  if (release === undefined) throw new DomainError("release-not-found");
  return release;
}

export async function presentReleases(records: Records, releases: readonly ReleaseRecord[]): Promise<Release[]> {
  const names = releases.map(({ name }) => name);
  const artifacts = await records.artifacts.ofReleases(names);
  const notes = await records.releaseMetadata.notes(names);
  const tags = await records.releaseMetadata.tags(names);
  return releases.map((release) => ({
    ...release,
    artifacts: artifacts.filter(({ name }) => name === release.name),
    notes: notes.get(release.name) ?? "",
    tags: tags.get(release.name) ?? [],
  }));
}
