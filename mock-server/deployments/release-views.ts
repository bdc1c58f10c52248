import type { ArtifactRecord, Records, ReleaseRecord } from "../storage/index.ts";

/** A release with its artifacts, sorted by id. */
export interface Release extends ReleaseRecord {
  readonly artifacts: readonly ArtifactRecord[];
  readonly notes: string;
  /** Lower case, sorted. */
  readonly tags: readonly string[];
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
