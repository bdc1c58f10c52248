/** A blob that is being written. It exists under its name only once it is complete and durable. */
export interface BlobWriter {
  /** Append. `data` may be used again when it resolves. */
  write(data: Uint8Array): Promise<void>;
  /** Make it durable under its name. */
  commit(): Promise<void>;
  /** Forget it; nothing of it stays. Harmless after `commit()` and when called again. */
  discard(): Promise<void>;
}

/** A blob that is open for reading. Close it: nothing else does. */
export interface Blob {
  readonly sizeBytes: number;
  /** The bytes from `start` up to and without `end`, in large chunks, read as they are asked for. */
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/** A presigned request: its holder can send it to the store directly until it expires. */
export interface BlobLink {
  readonly uri: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresMs: number;
}

/** A store that devices and users reach by themselves. */
export interface DirectBlobs {
  /** Read one blob. @param options.fileName What a browser calls it. */
  downloadLink(name: string, options: { readonly lifeMs: number; readonly fileName: string }): Promise<BlobLink>;
  /** Write one blob by a PUT of all its bytes; over what is there under its name, as long as the link is good. */
  uploadLink(name: string, lifeMs: number): Promise<BlobLink>;
}

/**
 * Blobs that belong to no artifact, for a while: the records that know them may come back. A blob in the trash of a
 * bucket stays where it is, with a mark beside it, and is still listed among the blobs; a file is moved out of the way.
 */
export interface BlobTrash {
  /** The names in it, with the time since when, in milliseconds since the Unix epoch. */
  list(): Promise<ReadonlyMap<string, number>>;
  /** No error if there is no such blob. */
  put(name: string): Promise<void>;
  /** Take a blob out of the trash, to be used again. No error if it is not in it. */
  restore(name: string): Promise<void>;
  /** Remove a blob that is in the trash for good. No error if it is not in it. */
  purge(name: string): Promise<void>;
}

/** Large, immutable, named pieces of bytes: the artifacts. Names are UUIDs. */
export interface Blobs {
  /** Rejects with EEXIST if there is a blob of that name, or one is just being written. */
  create(name: string): Promise<BlobWriter>;
  /** `undefined` if there is no such blob. */
  open(name: string): Promise<Blob | undefined>;
  /** No error if there is no such blob. A read that has begun goes on to its end. */
  remove(name: string): Promise<void>;
  /** The names of all complete blobs. */
  names(): Promise<string[]>;
  /** When it was written, in milliseconds since the Unix epoch; `undefined` if there is no such blob. */
  writtenMs(name: string): Promise<number | undefined>;
  /** Absent if only this server reaches the store. */
  readonly direct?: DirectBlobs;
  /** Absent: blobs that belong to no artifact stay. */
  readonly trash?: BlobTrash;
}
