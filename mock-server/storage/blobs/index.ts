export type { Blob, Blobs, BlobWriter } from "./blobs.ts";
export { openFileBlobs } from "./file-blobs.ts";
