import { ArtifactError } from "@upkeep/shared/artifact";
import {
  ChunkDecoder,
  type ChunkIndex,
  chunkSizes,
  type DownloadPlan,
  isChunk,
  KeptChunks,
  rangesOf,
  type Segment,
} from "@upkeep/shared/artifact/adaptive";
import { AgentError } from "../errors.ts";
import type { ArtifactRanges } from "../server/deployment-server.ts";
import type { SeedPlaces } from "./places.ts";
import { RangeQueue } from "./range-queue.ts";
import type { SeedReader } from "./seed-reader.ts";
import { type ChunkUse, type Window, Windows } from "./window.ts";

export interface AssemblyOptions {
  readonly index: ChunkIndex;
  readonly plan: DownloadPlan;
  readonly places: SeedPlaces;
  readonly seeds: SeedReader;
  readonly ranges: ArtifactRanges;
}

/** A chunk on a seed that is to be copied. */
interface Copy extends ChunkUse {
  readonly seed: number;
  readonly seedOffset: number;
}

/**
 * Puts the flattened artifact together from the seeds and the chunks that are fetched. Each chunk is checked when it is
 * copied or fetched, right before it is handed on; one that is wrong is fetched again.
 */
export class Assembly {
  readonly #options: AssemblyOptions;
  readonly #queue: RangeQueue;
  readonly #kept: KeptChunks<Uint8Array>;
  readonly #decoder = new ChunkDecoder();
  /** Uncompressed bytes that the seeds gave. */
  reusedBytes = 0;
  /** Chunks that the seeds had according to the scan, and did not give. */
  changed = 0;

  constructor(options: AssemblyOptions) {
    this.#options = options;
    const { ranges, plan, index } = options;
    this.#queue = new RangeQueue(ranges, plan.ranges);
    this.#kept = new KeptChunks(plan.uses, index.chunks.lengths);
  }

  /** @throws AgentError `adaptive-chunk-wrong`; the errors of the ranges. */
  async *bytes(segments: Iterable<Segment>): AsyncGenerator<Uint8Array> {
    const { maxBytes } = chunkSizes(this.#options.index.averageBytes);
    for (const window of new Windows(maxBytes).of(segments)) {
      await this.#complete(window);
      yield window.bytes;
    }
  }

  async #complete({ uses }: Window): Promise<void> {
    const { plan, places } = this.#options;
    const copies: Copy[] = [];
    for (const use of uses) {
      const place = plan.isFetched(use.use) ? undefined : places.find(use.chunk, use.offset);
      if (place !== undefined) copies.push({ ...use, seed: place.seed, seedOffset: place.offset });
    }
    const copied = new Set<number>();
    const changed = await this.#copy(copies, copied);
    const wrong = await this.#take(uses, copied, new Set(changed.map(({ use }) => use)));
    this.changed += changed.length;
    const stillWrong = await this.#fetch(changed);
    const lost = await this.#fetch([...wrong, ...stillWrong]);
    const [one] = lost;
    if (one === undefined) return;
    throw new AgentError(
      "adaptive-chunk-wrong",
      `the server's chunk ${one.chunk} of the artifact is not what the index says, also when it is fetched again`,
    );
  }

  /** Copies chunks from the seeds. @returns Those that are not what they were. */
  async #copy(copies: readonly Copy[], copied: Set<number>): Promise<readonly ChunkUse[]> {
    const { seeds, index } = this.#options;
    const changed: ChunkUse[] = [];
    for (const run of runsOf(copies)) {
      const [first] = run;
      if (first === undefined) continue;
      const { buffer, byteOffset } = first.room;
      const length = run.reduce((sum, { room }) => sum + room.length, 0);
      const isRead = await seeds.fill(first.seed, first.seedOffset, new Uint8Array(buffer, byteOffset, length));
      for (const copy of run) {
        if (isRead && isChunk(index.chunks, copy.chunk, copy.room)) {
          copied.add(copy.use);
          this.reusedBytes += copy.room.length;
        } else changed.push(copy);
      }
    }
    return changed;
  }

  /** Fills in what the plan fetches, and what is kept of it. @returns What is not right. */
  async #take(
    uses: readonly ChunkUse[],
    copied: ReadonlySet<number>,
    changed: ReadonlySet<number>,
  ): Promise<readonly ChunkUse[]> {
    const { plan, index } = this.#options;
    const { storedOffsets, storedLengths } = index.chunks;
    const wrong: ChunkUse[] = [];
    for (const use of uses) {
      const { chunk, room } = use;
      const start = storedOffsets[chunk] ?? 0;
      let isFilled: boolean;
      if (plan.isFetched(use.use)) {
        const stored = await this.#queue.take(start, start + (storedLengths[chunk] ?? 0));
        isFilled = this.#decode(chunk, stored, room);
      } else if (!copied.has(use.use) && !changed.has(use.use)) {
        const content = this.#kept.get(chunk);
        isFilled = content !== undefined;
        if (content !== undefined) room.set(content);
      } else {
        this.#kept.used(chunk);
        continue;
      }
      if (!isFilled) wrong.push(use);
      // The room is used again.
      this.#kept.used(chunk, isFilled ? () => Uint8Array.from(room) : undefined);
    }
    return wrong;
  }

  /** Fetches chunks that the plan does not. @returns Those that are wrong. */
  async #fetch(missing: readonly ChunkUse[]): Promise<readonly ChunkUse[]> {
    if (missing.length === 0) return missing;
    const { index, ranges } = this.#options;
    const { storedOffsets, storedLengths } = index.chunks;
    const chunks = [...new Set(missing.map(({ chunk }) => chunk))].sort((a, b) => a - b);
    const parts = await Promise.all(
      rangesOf(index.chunks, chunks).map(async ({ start, end }) => ({
        start,
        end,
        bytes: await ranges.read("chunks", start, end),
      })),
    );
    return missing.filter(({ chunk, room }) => {
      const start = storedOffsets[chunk] ?? 0;
      const end = start + (storedLengths[chunk] ?? 0);
      const part = parts.find((one) => start >= one.start && end <= one.end);
      return !part || !this.#decode(chunk, part.bytes.subarray(start - part.start, end - part.start), room);
    });
  }

  /** Fills `room` with the content of a chunk. @returns False if that is not what the index says. */
  #decode(chunk: number, stored: Uint8Array, room: Uint8Array): boolean {
    try {
      this.#decoder.decode(stored, room);
    } catch (error) {
      if (error instanceof ArtifactError) return false;
      throw error;
    }
    return isChunk(this.#options.index.chunks, chunk, room);
  }
}

/** Copies that lie one behind the other, on the seed and in the window: one read gives them. */
function* runsOf(copies: readonly Copy[]): Generator<readonly Copy[]> {
  let run: Copy[] = [];
  for (const copy of copies) {
    const last = run.at(-1);
    const follows =
      last !== undefined &&
      last.seed === copy.seed &&
      last.seedOffset + last.room.length === copy.seedOffset &&
      last.room.byteOffset + last.room.length === copy.room.byteOffset;
    if (!follows && run.length > 0) {
      yield run;
      run = [];
    }
    run.push(copy);
  }
  if (run.length > 0) yield run;
}
