import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { Domain } from "../domain.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import { openBucketBlobs, openDirectoryBlobs } from "../storage/blobs/open.ts";
import type { S3Location } from "../storage/blobs/s3/index.ts";
import { ABANDONED_MS, sweepAtStart } from "./sweeping.ts";

/**
 * Opens the store of the artifacts and sweeps it.
 * @param where.shared Other servers use the store too: a new blob may be an upload that one of them takes.
 * @throws UnusableDataError
 */
export async function openArtifactStore(
  system: Pick<System, "files" | "clock">,
  where: { readonly directory: string; readonly bucket?: S3Location; readonly shared: boolean },
  domain: Pick<Domain, "artifacts" | "linkSecret">,
  logger: Logger,
): Promise<Blobs> {
  const { directory, bucket, shared } = where;
  const abandonedBeforeMs = shared ? system.clock.now() - ABANDONED_MS : Number.POSITIVE_INFINITY;
  const blobs =
    bucket === undefined
      ? await openDirectoryBlobs(system, directory, abandonedBeforeMs)
      : await openBucketBlobs(system, bucket, domain, abandonedBeforeMs);
  await sweepAtStart(abandonedBeforeMs, system, blobs, domain, logger);
  return blobs;
}
