import type { Blobs } from "../../../../mock-server/storage/blobs/index.ts";
import { openS3Blobs, type S3Location } from "../../../../mock-server/storage/blobs/s3/index.ts";
import { BUCKET, type RunningS3, S3_KEYS } from "../../../support/s3.ts";

export const systemClock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Blobs in a store that a test has started. */
export function openTestBucket(
  { endpoint }: Pick<RunningS3, "endpoint">,
  change: Partial<S3Location> = {},
  setup: Partial<Parameters<typeof openS3Blobs>[0]> = {},
): Promise<Blobs> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const location = { bucket: BUCKET, prefix: "", region: "us-east-1", pathStyle: true, credentials: S3_KEYS };
  return openS3Blobs({
    location: { ...location, endpoint, ...change },
    clock: systemClock,
    owner: "these records",
    unfinishedBeforeMs: Number.POSITIVE_INFINITY,
    ...setup,
  });
}
