import { combinationsFault, PROTOCOL_LIMITS, PROVIDES_LIMITS } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { sha256 } from "../../digest.ts";
import { DomainError, invalid, notFound } from "../../errors.ts";
import type {
  ArtifactFilter,
  ArtifactIndex,
  ArtifactRecord,
  ArtifactSort,
  NoIndex,
  Page,
  Paging,
  Records,
  ReleaseFilter,
  ReleaseSort,
  Storage,
} from "../../storage/index.ts";
import { blobsOf } from "./blobs.ts";
import { presentReleases, type Release } from "./releases.ts";

const TEXT_MAX = PROTOCOL_LIMITS.textMax;
const { deviceTypesMax: DEVICE_TYPES_MAX } = PROVIDES_LIMITS;

/**
 * The artifacts' metadata. A new artifact takes part in the unfinished deployments of its release at once; an artifact
 * of an unfinished deployment cannot be deleted.
 */
export class Artifacts {
  readonly #storage: Storage;
  readonly #clock: Clock;

  #inserted: () => void = () => undefined;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** @param inserted Called after each new artifact of this server. */
  onInserted(inserted: () => void): void {
    this.#inserted = inserted;
  }

  /**
   * @throws DomainError (invalid) if it cannot be deployed; (artifact-id-exists); (artifact-exists) if another artifact of
   *   the release is for some of the same devices.
   */
  async insert(artifact: ArtifactRecord): Promise<void> {
    checkMetadata(artifact);
    const combinations = combinationsOf(artifact);
    await this.#storage.transaction(async ({ artifacts }) => {
      const digests = [...combinations.keys()];
      const owner = await artifacts.owner(artifact.name, digests);
      if (owner !== undefined) {
        throw new DomainError("artifact-exists", {
          artifactId: owner.artifactId,
          artifactName: artifact.name,
          depends: combinations.get(owner.combination),
        });
      }
      if ((await artifacts.everKnown([artifact.id])).size > 0) {
        throw new DomainError("artifact-id-exists", { id: artifact.id });
      }
      await artifacts.insert(artifact, digests);
    });
    this.#inserted();
  }

  /** @throws DomainError (not-found) */
  get(id: string): Promise<ArtifactRecord> {
    return this.#storage.read((records) => find(records, id));
  }

  /** The total size of all artifacts in the store with their indexes, in bytes. */
  sizeBytes(): Promise<number> {
    return this.#storage.read(
      async ({ artifacts, artifactIndexes }) => (await artifacts.sizeBytes()) + (await artifactIndexes.sizeBytes()),
    );
  }

  /** What the indexes take of it. */
  indexBytes(): Promise<number> {
    return this.#storage.read(({ artifactIndexes }) => artifactIndexes.sizeBytes());
  }

  /** The indexes of these artifacts; absent: not indexed yet. */
  indexesOf(ids: readonly string[]): Promise<ReadonlyMap<string, ArtifactIndex | NoIndex>> {
    return this.#storage.read(({ artifactIndexes }) => artifactIndexes.of(ids));
  }

  /** All indexes that exist. */
  indexes(): Promise<readonly { readonly artifactId: string; readonly index: ArtifactIndex }[]> {
    return this.#storage.read(({ artifactIndexes }) => artifactIndexes.all());
  }

  /** Artifacts that were not indexed yet, newest first. */
  notIndexed(): Promise<readonly ArtifactRecord[]> {
    return this.#storage.read(({ artifactIndexes }) => artifactIndexes.missing());
  }

  /**
   * Publishes an index: from this transaction on, devices are offered it.
   * @returns False if the artifact was deleted, or another server was first: the blobs belong to nothing then.
   */
  setIndex(id: string, index: ArtifactIndex | NoIndex): Promise<boolean> {
    return this.#storage.transaction(async ({ artifacts, artifactIndexes }) => {
      if ((await artifacts.find(id)) === undefined) return false;
      return await artifactIndexes.insert(id, index);
    });
  }

  /** Forgets indexes whose blobs are missing. */
  forgetIndexes(ids: readonly string[]): Promise<void> {
    return this.#storage.transaction(({ artifactIndexes }) => artifactIndexes.delete(ids));
  }

  /** @param paging Everything when absent. */
  list(filter: ArtifactFilter, sort: ArtifactSort, paging?: Paging): Promise<Page<ArtifactRecord>> {
    return this.#storage.read(({ artifacts }) => artifacts.list(filter, sort, paging));
  }

  /** @throws DomainError (not-found); (artifact-was-deployed); (invalid) */
  async setDescription(id: string, description: string): Promise<void> {
    checkDescription(description);
    await this.#storage.transaction(async (records) => {
      const { name } = await find(records, id);
      if (await records.deployments.anyOfRelease(name, "any")) {
        throw new DomainError("artifact-was-deployed");
      }
      await records.artifacts.setDescription(id, description, this.#clock.now());
    });
  }

  /**
   * @returns The names of its blobs.
   * @throws DomainError (not-found); (artifact-in-use) in an unfinished deployment.
   */
  delete(id: string): Promise<readonly string[]> {
    return this.#storage.transaction(async (records) => {
      const { name } = await find(records, id);
      if (await records.deployments.anyOfRelease(name, "unfinished")) {
        throw new DomainError("artifact-in-use");
      }
      const blobs = await blobsOf(records, [id]);
      if (await records.deployments.anyOfRelease(name, "any")) await records.artifacts.remove(id, this.#clock.now());
      else await records.artifacts.delete(id);
      return blobs;
    });
  }

  /** @param paging Everything when absent. */
  releases(filter: ReleaseFilter, sort: ReleaseSort, paging?: Paging): Promise<Page<Release>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.releases.list(filter, sort, paging);
      return { items: await presentReleases(records, items), total };
    });
  }
}

async function find({ artifacts }: Records, id: string): Promise<ArtifactRecord> {
  const artifact = await artifacts.find(id);
  if (artifact === undefined) throw notFound();
  return artifact;
}

function checkMetadata({ name, deviceTypes, description }: ArtifactRecord): void {
  if (name === "" || name.length > TEXT_MAX) {
    throw invalidMetadata(`the artifact name must have 1 to ${TEXT_MAX} characters`);
  }
  if (deviceTypes.length === 0 || deviceTypes.length > DEVICE_TYPES_MAX) {
    throw invalidMetadata(
      `an artifact is for 1 to ${DEVICE_TYPES_MAX} device types, this one for ${deviceTypes.length}`,
    );
  }
  if (deviceTypes.some((type) => type === "" || type.length > TEXT_MAX)) {
    throw invalidMetadata(`a device type must have 1 to ${TEXT_MAX} characters`);
  }
  checkDescription(description);
}

function invalidMetadata(fault: string): DomainError {
  return new DomainError("invalid-artifact-metadata", { fault });
}

function checkDescription(description: string): void {
  if (description.length > TEXT_MAX) throw invalid(`description: must have at most ${TEXT_MAX} characters`);
}

/** One set of device attributes that an artifact fits: a value for each key of its depends. */
type Combination = Readonly<Record<string, string>>;

/**
 * All combinations of an artifact's depends and device types, by their digests.
 * @throws DomainError (invalid-artifact-metadata) if there are too many, or none.
 */
function combinationsOf({ depends, deviceTypes }: ArtifactRecord): Map<string, Combination> {
  const fault = combinationsFault({ ...depends, device_type: deviceTypes });
  if (fault !== undefined) throw invalidMetadata(`depends: ${fault}`);
  const needs = Object.entries<string | readonly string[]>({ ...depends, device_type: deviceTypes })
    .map(([key, value]): [string, readonly string[]] => [
      key,
      typeof value === "string" ? [value] : [...new Set(value)],
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  let combinations: Combination[] = [{}];
  for (const [key, values] of needs) {
    combinations = combinations.flatMap((combination) => values.map((value) => ({ ...combination, [key]: value })));
  }
  return new Map(combinations.map((combination) => [sha256(JSON.stringify(combination)), combination]));
}
