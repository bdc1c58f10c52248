import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { type Clock, SystemError } from "@upkeep/shared/system";
import type { Blob, Blobs, BlobTrash, BlobWriter, DirectBlobs } from "../blobs.ts";
import { checkBlobName, isBlobName } from "../names.ts";
import { claim } from "./claim.ts";
import { S3Links } from "./links.ts";
import { connect, hasStatus, type S3Location, type S3Store } from "./store.ts";
import { S3Trash } from "./trash.ts";
import { S3BlobWriter } from "./writer.ts";

/**
 * Blobs as objects of a bucket, which must be there. What an earlier run began to write and did not finish is
 * removed.
 * @param setup.owner Names the records that the blobs belong to. A prefix that other records use is refused:
 *   blobs that no record tells of do not stay for ever.
 * @param setup.unfinishedBeforeMs What was begun since then may be written by another process, and stays.
 *   Milliseconds since the Unix epoch.
 * @throws SystemError (EBUSY) if the prefix belongs to others; what the store answers if it cannot be used.
 */
export async function openS3Blobs(setup: {
  readonly location: S3Location;
  readonly clock: Clock;
  readonly owner: string;
  readonly unfinishedBeforeMs: number;
}): Promise<Blobs> {
  const { location, clock } = setup;
  const store: S3Store = { client: connect(location, location.endpoint), location, clock, conditionalWrites: true };
  await claim(store, setup.owner);
  await removeUnfinished(store, setup.unfinishedBeforeMs);
  return new S3Blobs(store);
}

/** Some stores cannot list what is unfinished; there, the bucket needs a rule that removes it. */
async function removeUnfinished({ client, location }: S3Store, beforeMs: number): Promise<void> {
  const { bucket: Bucket, prefix: Prefix } = location;
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
    for (const { Key, UploadId, Initiated } of Uploads) {
      if (Initiated !== undefined && Initiated.getTime() >= beforeMs) continue;
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
  } catch (error) {
    if (!hasStatus(error, 501)) throw error;
  }
}

class S3Blobs implements Blobs {
  readonly #store: S3Store;
  readonly #written = new Set<string>();
  readonly direct: DirectBlobs;
  readonly trash: BlobTrash;

  constructor(store: S3Store) {
    this.#store = store;
    this.direct = new S3Links(store, (name) => this.#target(name));
    this.trash = new S3Trash(store);
  }

  #target(name: string): { readonly Bucket: string; readonly Key: string } {
    const { bucket, prefix } = this.#store.location;
    return { Bucket: bucket, Key: prefix + checkBlobName(name) };
  }

  async #head(name: string): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#store.client.send(new HeadObjectCommand(this.#target(name)));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async create(name: string): Promise<BlobWriter> {
    const { Key } = this.#target(name);
    if (this.#written.has(name)) throw new SystemError("EEXIST", `a blob ${name} is being written`);
    this.#written.add(name);
    const release = (): void => {
      this.#written.delete(name);
    };
    try {
      if ((await this.#head(name)) !== undefined) throw new SystemError("EEXIST", `there is a blob ${name} already`);
      return new S3BlobWriter(this.#store, Key, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async open(name: string): Promise<Blob | undefined> {
    const head = await this.#head(name);
    if (head === undefined) return undefined;
    return new S3Blob(this.#store, { ...this.#target(name), IfMatch: head.ETag }, head.ContentLength ?? 0);
  }

  async remove(name: string): Promise<void> {
    await this.#store.client.send(new DeleteObjectCommand(this.#target(name)));
  }

  async names(): Promise<string[]> {
    const { bucket: Bucket, prefix: Prefix } = this.#store.location;
    const names: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#store.client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
      for (const { Key } of page.Contents ?? []) {
        const name = Key?.slice(Prefix.length) ?? "";
        if (isBlobName(name)) names.push(name);
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return names;
  }

  async writtenMs(name: string): Promise<number | undefined> {
    return (await this.#head(name))?.LastModified?.getTime();
  }
}

interface ObjectVersion {
  readonly Bucket: string;
  readonly Key: string;
  readonly IfMatch: string | undefined;
}

class S3Blob implements Blob {
  readonly #store: S3Store;
  readonly #target: ObjectVersion;
  readonly sizeBytes: number;

  constructor(store: S3Store, target: ObjectVersion, sizeBytes: number) {
    this.#store = store;
    this.#target = target;
    this.sizeBytes = sizeBytes;
  }

  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    if (start >= end) return;
    if (end > this.sizeBytes) {
      throw new SystemError("EIO", `the object ends at byte ${this.sizeBytes}, before byte ${end}`);
    }
    const { Body } = await this.#store.client.send(
      new GetObjectCommand({ ...this.#target, Range: `bytes=${start}-${end - 1}` }),
    );
    if (!(Body instanceof Readable)) throw new SystemError("EPROTO", "the store answered without the object");
    let position = start;
    // Who stops reading breaks the answer off.
    for await (const chunk of Body as AsyncIterable<Uint8Array>) {
      position += chunk.length;
      yield chunk;
    }
    if (position !== end) throw new SystemError("EIO", `the store broke off at byte ${position}, before byte ${end}`);
  }

  /** There is nothing to close: each read is a request of its own. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
