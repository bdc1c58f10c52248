import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { SystemError } from "@upkeep/shared/system";
import type { BlobWriter } from "../blobs.ts";
import { hasStatus, type S3Store, writeIfAbsent } from "./store.ts";

/** The most that S3 takes are 10,000 parts: 80 GiB. Two parts are in memory: one is sent, one is filled. */
export const PART_BYTES = 8 * 1024 * 1024;
const MEDIA_TYPE = "application/vnd.mender-artifact";

/** Writes an object in parts, and a small one in one piece. */
export class S3BlobWriter implements BlobWriter {
  readonly #store: S3Store;
  readonly #target: { readonly Bucket: string; readonly Key: string };
  readonly #release: () => void;
  readonly #sent: CompletedPart[] = [];
  #filling = Buffer.alloc(0);
  #filledBytes = 0;
  #sending: Promise<{ readonly error?: unknown }> = Promise.resolve({});
  #uploadId: string | undefined;
  #ended = false;

  /** @param release Called once, when the name is not written to any more. */
  constructor(store: S3Store, key: string, release: () => void) {
    this.#store = store;
    this.#target = { Bucket: store.location.bucket, Key: key };
    this.#release = release;
  }

  async write(data: Uint8Array): Promise<void> {
    for (let from = 0; from < data.length; ) {
      if (this.#filledBytes === this.#filling.length) await this.#makeRoom();
      const some = data.subarray(from, from + this.#filling.length - this.#filledBytes);
      this.#filling.set(some, this.#filledBytes);
      this.#filledBytes += some.length;
      from += some.length;
    }
  }

  async #makeRoom(): Promise<void> {
    if (this.#filledBytes > 0) await this.#send();
    this.#filling = Buffer.allocUnsafeSlow(PART_BYTES);
    this.#filledBytes = 0;
  }

  /** Begin to send what is filled, once what was sent before has arrived. */
  async #send(): Promise<void> {
    await this.#arrived();
    const { client } = this.#store;
    if (this.#uploadId === undefined) {
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({ ...this.#target, ContentType: MEDIA_TYPE }),
      );
      if (UploadId === undefined) throw new SystemError("EPROTO", "the store began an upload and did not name it");
      this.#uploadId = UploadId;
    }
    const PartNumber = this.#sent.length + 1;
    const Body = this.#filling.subarray(0, this.#filledBytes);
    this.#sending = client
      .send(new UploadPartCommand({ ...this.#target, UploadId: this.#uploadId, PartNumber, Body }))
      .then(
        ({ ETag }) => {
          this.#sent.push({ PartNumber, ETag });
          return {};
        },
        (error: unknown) => ({ error }),
      );
  }

  async #arrived(): Promise<void> {
    const { error } = await this.#sending;
    if (error !== undefined) throw error;
  }

  async commit(): Promise<void> {
    try {
      if (this.#uploadId === undefined) await this.#put();
      else await this.#complete();
    } catch (error) {
      if (!hasStatus(error, 412)) throw error;
      throw new SystemError("EEXIST", `there is an object ${this.#target.Key} already`, { cause: error });
    }
    this.#end();
  }

  async #put(): Promise<void> {
    const Body = this.#filling.subarray(0, this.#filledBytes);
    await writeIfAbsent(this.#store, (condition) =>
      this.#store.client.send(new PutObjectCommand({ ...this.#target, ...condition, Body, ContentType: MEDIA_TYPE })),
    );
  }

  async #complete(): Promise<void> {
    if (this.#filledBytes > 0) await this.#send();
    await this.#arrived();
    await writeIfAbsent(this.#store, (condition) =>
      this.#store.client.send(
        new CompleteMultipartUploadCommand({
          ...this.#target,
          ...condition,
          UploadId: this.#uploadId,
          MultipartUpload: { Parts: this.#sent },
        }),
      ),
    );
  }

  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#end();
    // A part that arrives after the abort would stay.
    await this.#sending;
    if (this.#uploadId === undefined) return;
    try {
      await this.#store.client.send(new AbortMultipartUploadCommand({ ...this.#target, UploadId: this.#uploadId }));
    } catch (error) {
      // It is gone already; or the store forgets such things only by a rule of the bucket.
      if (!hasStatus(error, 404) && !hasStatus(error, 501)) throw error;
    }
  }

  #end(): void {
    if (!this.#ended) this.#release();
    this.#ended = true;
    this.#filling = Buffer.alloc(0);
    this.#filledBytes = 0;
  }
}
