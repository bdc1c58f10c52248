import type { ArtifactContent, ArtifactReading, ReadOptions } from "@upkeep/shared/artifact";

/**
 * How long to wait before a report is sent again.
 * @param attempt Attempts so far, at least 1.
 * @param retryAfterMs What the server asked for, if it did.
 * @returns Milliseconds; `undefined` to stop trying for now.
 */
export type RetryDelays = (attempt: number, retryAfterMs?: number) => number | undefined;

/** `openArtifact` of `@upkeep/shared/artifact`. */
export type OpenArtifact = (source: ArtifactContent, options?: ReadOptions) => Promise<ArtifactReading>;
