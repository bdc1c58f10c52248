export type { Blob, BlobLink, Blobs, BlobTrash, BlobWriter, DirectBlobs } from "./blobs.ts";
export { openFileBlobs } from "./file-blobs.ts";
export { MemoryBlobs } from "./memory-blobs.ts";
export { isBlobName } from "./names.ts";
