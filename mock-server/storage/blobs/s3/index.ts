export { LINK_LIFE_MS_MAX } from "./links.ts";
export { openS3Blobs } from "./s3-blobs.ts";
export type { S3Credentials, S3Location } from "./store.ts";
