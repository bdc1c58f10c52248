/** Adaptive downloads: how an artifact is cut, what its index says, and the flattened artifact that it describes. */

export { ChunkDecoder, chunkHash, isChunk } from "./chunk-content.ts";
export {
  type ChunkIndex,
  type ChunkTable,
  decodeChunkIndex,
  flattenedBytes,
  HASH_BYTES,
  INDEX_LIMITS,
  type Segment,
  segmentsOf,
} from "./chunk-index.ts";
export { averageFor, type ChunkSizes, type Cut, Cutter, chunkSizes } from "./chunker.ts";
export { flatten } from "./flatten.ts";
export { KeptChunks } from "./kept-chunks.ts";
export { ChunkLookup } from "./lookup.ts";
export { chunksOfFile, filesInIndex, type IndexedFile } from "./payload-files.ts";
export {
  type ChunkPlaces,
  type DownloadPlan,
  pays,
  planDownload,
  REQUEST_BYTES,
  rangesOf,
  type StoredRange,
} from "./plan.ts";
