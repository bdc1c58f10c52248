import { type ChunkIndex, ChunkLookup, Cutter, chunkHash, chunkSizes } from "@upkeep/shared/artifact/adaptive";
import type { Logger } from "@upkeep/shared/logging";
import { type Files, isSystemError, readChunks } from "@upkeep/shared/system";
import type { Seed, SeedPlaces } from "./places.ts";

/** Small, as four such buffers are in use. */
const READ_BYTES = 128 * 1024;

/**
 * Looks for the chunks of an index on the seeds, which are cut as the payload was. A seed that cannot be read is left
 * out.
 */
export async function scanSeeds(
  files: Files,
  index: ChunkIndex,
  seeds: readonly Seed[],
  places: SeedPlaces,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const lookup = new ChunkLookup(index.chunks);
  const cutter = new Cutter(chunkSizes(index.averageBytes));
  for (const [number, seed] of seeds.entries()) {
    if (places.missing === 0) return;
    try {
      await scanSeed(files, index, number, seed, { places, lookup, cutter }, signal);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      log.warning(`cannot look for parts of the artifact on ${seed.path}: ${error.message}`);
    }
  }
}

interface Scanning {
  readonly places: SeedPlaces;
  readonly lookup: ChunkLookup;
  readonly cutter: Cutter;
}

async function scanSeed(
  files: Files,
  index: ChunkIndex,
  number: number,
  { path, isTarget }: Seed,
  { places, lookup, cutter }: Scanning,
  signal: AbortSignal,
): Promise<void> {
  // A device may be larger than what lies on it.
  let left = index.flattenedBytes - index.prefixBytes;
  let offset = 0;
  const note = (cuts: ReturnType<Cutter["push"]>): void => {
    for (const cut of cuts) {
      if ("zeroBytes" in cut) {
        offset += cut.zeroBytes;
        continue;
      }
      const chunk = lookup.find(chunkHash(cut.content));
      if (chunk >= 0) places.add(chunk, number, offset, isTarget);
      offset += cut.content.length;
    }
  };
  const handle = await files.open(path, "read");
  try {
    for await (const bytes of readChunks(handle, READ_BYTES)) {
      signal.throwIfAborted();
      note(cutter.push(bytes.subarray(0, left)));
      left -= Math.min(left, bytes.length);
      if (left === 0) break;
    }
  } finally {
    note(cutter.end());
    await handle.close();
  }
}
