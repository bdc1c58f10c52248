import type { System } from "@upkeep/shared/system";
import { identityOfRecords } from "../claim.ts";
import { ARTIFACT_DIRECTORY, TRASH_DIRECTORY } from "../data-layout.ts";
import { UnusableDataError } from "../unusable-data.ts";
import type { Blobs } from "./blobs.ts";
import { openFileBlobs } from "./file-blobs.ts";
import type { S3Location } from "./s3/index.ts";

/**
 * The artifacts of a data directory.
 * @param unfinishedBeforeMs Uploads that have not ended and began before are deleted.
 */
export function openDirectoryBlobs(
  { files, clock }: Pick<System, "files" | "clock">,
  directory: string,
  unfinishedBeforeMs: number,
): Promise<Blobs> {
  const trash = { directory: `${directory}/${TRASH_DIRECTORY}`, clock };
  return openFileBlobs(files, `${directory}/${ARTIFACT_DIRECTORY}`, { unfinishedBeforeMs, trash });
}

/**
 * The artifacts in a bucket, claimed for these records.
 * @throws UnusableDataError
 */
export async function openBucketBlobs(
  { clock }: Pick<System, "clock">,
  location: S3Location,
  records: { readonly linkSecret: Uint8Array },
  unfinishedBeforeMs: number,
): Promise<Blobs> {
  try {
    // Most servers keep artifacts in files, and start without the S3 client.
    const { openS3Blobs } = await import("./s3/index.ts");
    return await openS3Blobs({ location, clock, owner: identityOfRecords(records), unfinishedBeforeMs });
  } catch (error) {
    throw new UnusableDataError("bucket", error);
  }
}
