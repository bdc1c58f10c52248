import { ArtifactError } from "@upkeep/shared/artifact";
import {
  type ChunkIndex,
  type DownloadPlan,
  filesInIndex,
  type IndexedFile,
  pays,
  planDownload,
  type Segment,
  segmentsOf,
} from "@upkeep/shared/artifact/adaptive";
import type { Logger } from "@upkeep/shared/logging";
import type { AdaptiveTransfer } from "@upkeep/shared/protocol";
import type { Files } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { NamedSeed } from "../modules/index.ts";
import type { ArtifactRanges, ArtifactSource } from "../server/deployment-server.ts";
import { Assembly } from "./assembly.ts";
import { type Seed, SeedPlaces } from "./places.ts";
import { scanSeeds } from "./scan.ts";
import { SeedReader } from "./seed-reader.ts";
import { destinationOf, findSeeds } from "./seeds.ts";
import { zeros } from "./window.ts";

/** Parts of this size are fetched of what has no chunks. */
export const PART_BYTES = 1024 * 1024;

const TAR_HEADER_BYTES = 512;

const MIB = 1024 * 1024;
const mib = (bytes: number): string => (bytes / MIB).toFixed(1);

export interface AdaptiveSourceOptions {
  readonly files: Files;
  readonly log: Logger;
  readonly ranges: ArtifactRanges;
  readonly index: ChunkIndex;
  readonly indexBytes: number;
}

/** What is known when the header of the artifact was read. */
export interface Preparation {
  readonly named: readonly NamedSeed[];
  /** Empty if the payload has none. */
  readonly payloadType: string;
  /** Name → SHA-256. */
  readonly manifest: ReadonlyMap<string, string>;
}

/**
 * The flattened artifact, put together from what the device has and what it fetches. Its reader verifies it like any
 * artifact: what is wrong here costs a plain download, and nothing else.
 */
export class AdaptiveSource implements ArtifactSource {
  readonly #options: AdaptiveSourceOptions;
  #seeds: SeedReader | undefined;
  #assembly: Assembly | undefined;

  constructor(options: AdaptiveSourceOptions) {
    this.#options = options;
  }

  get index(): ChunkIndex {
    return this.#options.index;
  }

  get sizeBytes(): number {
    return this.#options.index.flattenedBytes;
  }

  get content(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#bytes() };
  }

  /** What the download cost so far. */
  get transfer(): AdaptiveTransfer {
    const { ranges, index } = this.#options;
    return {
      needed: index.artifactBytes,
      reused: this.#assembly?.reusedBytes ?? 0,
      fetched: ranges.fetchedBytes,
    };
  }

  /**
   * Decide where the payload comes from. To be called when the header was read, and before the payload is.
   * @throws AgentError `adaptive-does-not-pay`
   */
  async prepare({ named, payloadType, manifest }: Preparation, signal: AbortSignal): Promise<void> {
    const { files, index, indexBytes, ranges, log } = this.#options;
    const destination = await destinationOf(payloadType, index, ranges, manifest);
    const seeds = await findSeeds(files, [...named, ...destination]);
    const places = new SeedPlaces(index.chunks, await payloadStart(index));
    await scanSeeds(files, index, seeds, places, log, signal);
    const plan = planDownload(index, indexBytes, places);
    if (!pays(plan.costBytes, index.artifactBytes)) throw doesNotPay(plan.costBytes, index.artifactBytes);
    log.info(told(index, plan, seeds));
    this.#seeds = new SeedReader(files, seeds);
    this.#assembly = new Assembly({ index, plan, places, seeds: this.#seeds, ranges });
  }

  async close(): Promise<void> {
    this.#options.ranges.close();
    await this.#seeds?.close();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    const { ranges, index } = this.#options;
    for (let start = 0; start < index.prefixBytes; start += PART_BYTES) {
      yield await ranges.read("artifact", start, Math.min(start + PART_BYTES, index.prefixBytes));
    }
    const segments = segmentsOf(index);
    yield* headOf(segments, index);
    if (this.#assembly === undefined) throw new TypeError("an adaptive download is read before it is prepared");
    yield* this.#assembly.bytes(segments);
    const { changed, reusedBytes } = this.#assembly;
    if (changed > 0)
      this.#options.log.warning(`${changed} parts that the device had were changed meanwhile, and fetched`);
    this.#options.log.info(
      `the artifact of ${mib(index.artifactBytes)} MiB is complete: ${mib(ranges.fetchedBytes)} MiB of it were fetched, ` +
        `and ${mib(reusedBytes)} MiB, uncompressed, came from the device`,
    );
  }
}

export function doesNotPay(costBytes: number, plainBytes: number): AgentError {
  return new AgentError(
    "adaptive-does-not-pay",
    `an adaptive download would fetch ${mib(costBytes)} MiB of ${mib(plainBytes)}: that does not pay`,
  );
}

/**
 * The header of the first payload's tar: the reader looks at what follows the artifact's header before it tells what is in
 * that.
 */
function* headOf(segments: Iterator<Segment>, { prefixBytes }: ChunkIndex): Generator<Uint8Array> {
  for (let end = prefixBytes; end < prefixBytes + TAR_HEADER_BYTES; ) {
    const { value } = segments.next();
    if (value === undefined || value.kind === "chunk") {
      throw new AgentError("adaptive-index-wrong", "the index of the artifact does not begin with the header of a tar");
    }
    end = value.offset + value.lengthBytes;
    if (value.kind === "literal") yield value.bytes;
    else yield* zeros(value.lengthBytes);
  }
}

/** Where the largest file begins in the flattened artifact: it is what an update module writes to a partition. */
async function payloadStart(index: ChunkIndex): Promise<number> {
  let largest: IndexedFile | undefined;
  try {
    for await (const file of filesInIndex(index)) {
      if (largest === undefined || file.sizeBytes > largest.sizeBytes) largest = file;
    }
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
  }
  return largest?.offset ?? index.prefixBytes;
}

function told(index: ChunkIndex, plan: DownloadPlan, seeds: readonly Seed[]): string {
  const where =
    seeds.length === 0
      ? "nothing"
      : seeds
          .map(({ path }) => path)
          .slice(0, 4)
          .join(", ");
  const more = seeds.length > 4 ? ` and ${seeds.length - 4} more` : "";
  return (
    `adaptive download: ${mib(plan.costBytes)} MiB instead of ${mib(index.artifactBytes)}, in ${plan.ranges.length} ` +
    `requests; ${mib(plan.reusedBytes)} MiB, uncompressed, are on the device (${where}${more})`
  );
}
