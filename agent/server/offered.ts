import type { AdaptiveOffer, DeploymentInstructions } from "@upkeep/shared/protocol";
import type { RangedObjects } from "./ranges.ts";

/** What an offer leads to. */
export function objectsOf(
  { artifact: { source } }: DeploymentInstructions,
  { artifact_size, index, chunks, expire }: AdaptiveOffer,
  server: string | undefined,
): RangedObjects {
  return {
    artifact: { url: source.uri, expire: source.expire, server, sizeBytes: artifact_size },
    index: { url: index.uri, expire, server, sizeBytes: index.size },
    chunks: { url: chunks.uri, expire, server, sizeBytes: chunks.size },
  };
}

/** True if two offers lead to the same index: what was planned with one is right for the other. */
export function isSameOffer(one: AdaptiveOffer, other: AdaptiveOffer): boolean {
  return one.index.sha256 === other.index.sha256 && one.artifact_size === other.artifact_size;
}
