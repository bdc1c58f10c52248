import { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { given } from "@upkeep/shared/given";
import type { Clock } from "@upkeep/shared/system";

/** A bucket of a store that speaks S3, or a part of one. */
export interface S3Location {
  readonly bucket: string;
  /** What every key begins with: empty, or ending in a slash. */
  readonly prefix: string;
  readonly region: string;
  /** Where this server reaches the store; absent: AWS. */
  readonly endpoint?: string;
  /** Where devices and users reach it, if that is elsewhere. */
  readonly publicEndpoint?: string;
  /** The bucket is named in the path, not in the host. */
  readonly pathStyle: boolean;
  readonly credentials: S3Credentials;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Only with credentials that expire. */
  readonly sessionToken?: string;
}

const CONNECT_MS_MAX = 10_000;
/** How long the store may keep silent in the middle of something. */
const SILENCE_MS_MAX = 60_000;

/** What the parts of the driver share. */
export interface S3Store {
  readonly client: S3Client;
  readonly location: S3Location;
  readonly clock: Clock;
  /** True while the store is believed to know writes that only succeed where nothing is. */
  conditionalWrites: boolean;
}

/** @param endpoint Where the store is reached; absent: AWS. */
export function connect(location: S3Location, endpoint: string | undefined): S3Client {
  return new S3Client({
    region: location.region,
    ...given({ endpoint }),
    forcePathStyle: location.pathStyle,
    credentials: location.credentials,
    requestHandler: { connectionTimeout: CONNECT_MS_MAX, requestTimeout: SILENCE_MS_MAX },
    // Bodies are signed with their SHA-256; many stores do not know the newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

/** True if the store has answered with this status. */
export function hasStatus(error: unknown, status: number): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === status;
}

/**
 * Make a write that fails with 412 if there is something under its name, wherever the store knows such writes.
 * @param write Called once more, without the condition, if it does not.
 */
export async function writeIfAbsent<T>(
  store: S3Store,
  write: (condition: { readonly IfNoneMatch?: "*" }) => Promise<T>,
): Promise<T> {
  if (!store.conditionalWrites) return await write({});
  try {
    return await write({ IfNoneMatch: "*" });
  } catch (error) {
    if (!hasStatus(error, 501)) throw error;
    store.conditionalWrites = false;
    return await write({});
  }
}
