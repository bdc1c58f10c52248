export type { Blob, BlobLink, Blobs, BlobWriter, DirectBlobs } from "./blobs.ts";
export { openFileBlobs } from "./file-blobs.ts";
