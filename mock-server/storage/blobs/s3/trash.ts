import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import type { BlobTrash } from "../blobs.ts";
import { checkBlobName, isBlobName } from "../names.ts";
import { hasStatus, type S3Store, writeIfAbsent } from "./store.ts";

const FOLDER = "trash/";

/**
 * Marks beside the objects, below `trash/`: an object may be larger than one that S3 copies in one request, and
 * links to it go on working. The time of a mark is the store's.
 */
export class S3Trash implements BlobTrash {
  readonly #store: S3Store;

  constructor(store: S3Store) {
    this.#store = store;
  }

  #mark(name: string): { readonly Bucket: string; readonly Key: string } {
    const { bucket, prefix } = this.#store.location;
    return { Bucket: bucket, Key: `${prefix}${FOLDER}${checkBlobName(name)}` };
  }

  async list(): Promise<ReadonlyMap<string, number>> {
    const { bucket: Bucket, prefix } = this.#store.location;
    const Prefix = prefix + FOLDER;
    const marks = new Map<string, number>();
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#store.client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
      for (const { Key, LastModified } of page.Contents ?? []) {
        const name = Key?.slice(Prefix.length) ?? "";
        if (isBlobName(name) && LastModified !== undefined) marks.set(name, LastModified.getTime());
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return marks;
  }

  async put(name: string): Promise<void> {
    const mark = this.#mark(name);
    try {
      // A mark that is there keeps its time.
      await writeIfAbsent(this.#store, (condition) =>
        this.#store.client.send(
          new PutObjectCommand({ ...mark, ...condition, Body: "belongs to no artifact\n", ContentType: "text/plain" }),
        ),
      );
    } catch (error) {
      if (!hasStatus(error, 412)) throw error;
    }
  }

  async restore(name: string): Promise<void> {
    await this.#store.client.send(new DeleteObjectCommand(this.#mark(name)));
  }

  async purge(name: string): Promise<void> {
    const { bucket, prefix } = this.#store.location;
    await this.#store.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + checkBlobName(name) }));
    await this.restore(name);
  }
}
