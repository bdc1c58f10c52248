import type { ReadOptions } from "@upkeep/shared/artifact";
import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { ArtifactRecord, Domain } from "../domain.ts";
import type { ChunkCompression } from "../releases/adaptive/chunk-compression.ts";
import { makeIndex } from "../releases/adaptive/make-index.ts";
import type { Blobs } from "../storage/blobs/index.ts";

/** How much of its work is done. */
export interface IndexingProgress {
  /** The artifact that is being indexed. */
  readonly artifactId: string;
  /** From 0 to 1. */
  readonly done: number;
}

export interface IndexingParts {
  readonly system: Pick<System, "clock" | "random">;
  readonly domain: Pick<Domain, "artifacts">;
  readonly blobs: Blobs;
  readonly compression: ChunkCompression;
  readonly logger: Logger;
  readonly decompressors?: ReadOptions["decompressors"];
}

/**
 * Indexes artifacts for adaptive downloads, one after the other, newest first: those that are uploaded, and at the
 * start those that were there before. What is interrupted begins anew at the next start. Of several servers with the
 * same artifacts, each indexes what it finds without an index; the first one to finish counts.
 */
export class Indexing {
  readonly #parts: IndexingParts;
  readonly #ending = new AbortController();
  /** Artifacts whose indexing failed, of a full store for instance: they are tried again after the next start. */
  readonly #failed = new Set<string>();
  #progress: IndexingProgress | undefined;
  #running: Promise<void> | undefined;
  #isWoken = false;

  constructor(parts: IndexingParts) {
    this.#parts = parts;
    parts.domain.artifacts.onInserted(() => this.wake());
  }

  /** Forgets indexes whose blobs are missing: backups have none. Call it before devices are offered any. */
  async forgetMissing(): Promise<void> {
    const { blobs, domain } = this.#parts;
    const indexes = await domain.artifacts.indexes();
    if (indexes.length === 0) return;
    const present = new Set(await blobs.names());
    const lost = indexes.filter(({ index }) => !present.has(index.index.blob) || !present.has(index.chunks.blob));
    if (lost.length > 0) await domain.artifacts.forgetIndexes(lost.map(({ artifactId }) => artifactId));
  }

  get progress(): IndexingProgress | undefined {
    return this.#progress;
  }

  /** There may be artifacts without an index. */
  wake(): void {
    this.#isWoken = true;
    if (this.#ending.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when no artifact waits. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.#parts.compression.close();
  }

  async #run(): Promise<void> {
    const { domain, logger } = this.#parts;
    try {
      while (this.#isWoken && !this.#ending.signal.aborted) {
        this.#isWoken = false;
        const [artifact] = (await domain.artifacts.notIndexed()).filter(({ id }) => !this.#failed.has(id));
        if (artifact === undefined) continue;
        await this.#index(artifact);
        this.#isWoken = true;
      }
    } catch (error) {
      logger.error("indexing artifacts for adaptive downloads failed", { error });
    }
  }

  async #index(artifact: ArtifactRecord): Promise<void> {
    const { system, domain, blobs, compression, decompressors, logger } = this.#parts;
    const { id, name } = artifact;
    const beganMs = system.clock.monotonic();
    try {
      const index = await makeIndex(artifact, {
        blobs,
        random: system.random,
        compress: compression.compress,
        signal: this.#ending.signal,
        onProgress: (done) => {
          this.#progress = { artifactId: id, done };
        },
        ...given({ decompressors }),
      });
      const isFirst = await domain.artifacts.setIndex(id, index);
      if ("fault" in index) {
        logger.debug("an artifact has no index for adaptive downloads", { artifact: id, name, reason: index.fault });
        return;
      }
      if (!isFirst) {
        for (const { blob } of [index.index, index.chunks]) await blobs.remove(blob);
        return;
      }
      logger.info("an artifact is ready for adaptive downloads", {
        artifact: id,
        name,
        index_bytes: index.index.sizeBytes,
        chunks_bytes: index.chunks.sizeBytes,
        took_ms: Math.round(system.clock.monotonic() - beganMs),
      });
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.#failed.add(id);
      logger.error("an artifact could not be indexed for adaptive downloads", { artifact: id, name, error });
    } finally {
      this.#progress = undefined;
    }
  }
}
