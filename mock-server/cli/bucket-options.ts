import { given } from "@upkeep/shared/given";
import { isSystemError, type System } from "@upkeep/shared/system";
import type { Blobs } from "../storage/blobs/index.ts";
import { openBucketBlobs } from "../storage/blobs/open.ts";
import type { S3Location } from "../storage/blobs/s3/index.ts";
import { UnusableDataError } from "../storage/index.ts";
import { s3Credentials } from "../system/environment.ts";
import { CommandError } from "./failure.ts";

/** A bucket, as the command line names it. */
export type BucketSettings = Omit<S3Location, "credentials">;

const DEFAULT_REGION = "us-east-1";

export const BUCKET_OPTIONS = {
  blobs: {
    type: "string",
    describe: "Bucket for the artifacts, as s3://BUCKET or s3://BUCKET/PREFIX; devices download straight from it",
    defaultDescription: "files in the data directory",
    requiresArg: true,
  },
  "s3-endpoint": {
    type: "string",
    describe: "URL of the S3-compatible store that has the bucket",
    defaultDescription: "AWS",
    requiresArg: true,
  },
  "s3-public-endpoint": {
    type: "string",
    describe: "URL under which devices and users reach that store",
    defaultDescription: "that of --s3-endpoint",
    requiresArg: true,
  },
  "s3-region": {
    type: "string",
    describe: "The bucket's region",
    defaultDescription: DEFAULT_REGION,
    requiresArg: true,
  },
  "s3-path-style": {
    type: "boolean",
    describe: "Name the bucket in the path of URLs, not in the host: many stores need it",
    default: false,
  },
} as const;

const BUCKET = /^s3:\/\/(?<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(?<prefix>[A-Za-z0-9!_.*'()/-]{0,500}))?$/;

function endpointOf(option: string, value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new CommandError(`--${option} ${JSON.stringify(value)}: must be a URL such as https://s3.example.com`);
  }
  return url.origin;
}

/**
 * The bucket that the command line names; `undefined` if it names none.
 * @throws CommandError that names the option at fault.
 */
export function bucketOf(args: Readonly<Record<string, unknown>>): BucketSettings | undefined {
  const { blobs } = args;
  if (typeof blobs !== "string") {
    const others = Object.keys(BUCKET_OPTIONS).filter((name) => name !== "blobs");
    const stray = others.find((name) => args[name] !== undefined && args[name] !== false);
    if (stray !== undefined) throw new CommandError(`--${stray} says more of --blobs, which is missing`);
    return undefined;
  }
  const { bucket, prefix = "" } = BUCKET.exec(blobs)?.groups ?? {};
  const segments = prefix.split("/").filter((segment) => segment !== "");
  if (bucket === undefined || segments.some((segment) => /^\.+$/.test(segment))) {
    throw new CommandError(`--blobs ${JSON.stringify(blobs)}: must be s3://BUCKET or s3://BUCKET/PREFIX`);
  }
  const endpoint = endpointOf("s3-endpoint", args["s3-endpoint"]);
  const publicEndpoint = endpointOf("s3-public-endpoint", args["s3-public-endpoint"]);
  const region = args["s3-region"];
  if (region !== undefined && !(typeof region === "string" && /^[a-z0-9-]{1,64}$/.test(region))) {
    throw new CommandError(`--s3-region ${JSON.stringify(region)}: must be a region's name such as eu-central-1`);
  }
  return {
    bucket,
    prefix: segments.map((segment) => `${segment}/`).join(""),
    region: region ?? DEFAULT_REGION,
    ...given({ endpoint, publicEndpoint }),
    pathStyle: args["s3-path-style"] === true,
  };
}

/** @throws CommandError if the keys for the bucket are missing. */
export function withCredentials(bucket: BucketSettings, option = "--blobs"): S3Location {
  const credentials = s3Credentials();
  if (credentials !== undefined) return { ...bucket, credentials };
  throw new CommandError(
    `${nameOf(bucket, option)}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set in the environment`,
  );
}

/** The error for an operator whose bucket cannot be opened. */
export function bucketFault(error: unknown, bucket: BucketSettings, option = "--blobs"): CommandError {
  const where = nameOf(bucket, option);
  // The S3 client is an optional dependency of the package: 20 MB that a server without a bucket does not need.
  if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") {
    const packages = "@aws-sdk/client-s3 @aws-sdk/s3-request-presigner";
    return new CommandError(`${where}: needs the S3 client: npm install ${packages} (beside upkeep-server)`);
  }
  if (isSystemError(error, "EBUSY")) return new CommandError(`${where}: ${error.message}: choose another prefix`);
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new CommandError(`${where}: cannot be used: ${reason}`);
}

function nameOf({ bucket, prefix }: BucketSettings, option: string): string {
  return `${option} s3://${bucket}/${prefix}`;
}

/** Opens the bucket that an option names. @throws CommandError */
export async function openBucket(
  system: Pick<System, "clock">,
  bucket: BucketSettings,
  records: { readonly linkSecret: Uint8Array },
  unfinishedBeforeMs: number,
  option: string,
): Promise<Blobs> {
  const location = withCredentials(bucket, option);
  try {
    return await openBucketBlobs(system, location, records, unfinishedBeforeMs);
  } catch (error) {
    throw error instanceof UnusableDataError ? bucketFault(error.cause, bucket, option) : error;
  }
}
