import type { Records } from "../../storage/index.ts";

/** The names of all blobs of these artifacts. */
export async function blobsOf({ artifactIndexes }: Records, ids: readonly string[]): Promise<readonly string[]> {
  const indexes = [...(await artifactIndexes.of(ids)).values()];
  return [...ids, ...indexes.flatMap((index) => ("fault" in index ? [] : [index.index.blob, index.chunks.blob]))];
}
