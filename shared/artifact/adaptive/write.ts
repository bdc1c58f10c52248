/** Indexing artifacts for adaptive downloads. A separate entry point, so that the agent's bundle does not contain it. */

export { checkIndex } from "./check-index.ts";
export { type ChunkColumns, encodeChunkIndex, type IndexedArtifact, SegmentWriter } from "./encode-index.ts";
export { type IndexPorts, indexArtifact } from "./index-artifact.ts";
