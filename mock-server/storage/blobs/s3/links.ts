import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { BlobLink, DirectBlobs } from "../blobs.ts";
import { connect, type S3Store } from "./store.ts";

/** Signatures of S3 are good for a week at most. */
export const LINK_LIFE_MS_MAX = 7 * 24 * 60 * 60 * 1000;

type Target = (name: string) => { readonly Bucket: string; readonly Key: string };

/** Links that go straight to the store. They are signed here: nothing is asked of the store. */
export class S3Links implements DirectBlobs {
  readonly #store: S3Store;
  readonly #client: S3Client;
  readonly #target: Target;

  constructor(store: S3Store, target: Target) {
    const { location } = store;
    this.#store = store;
    this.#client = location.publicEndpoint === undefined ? store.client : connect(location, location.publicEndpoint);
    this.#target = target;
  }

  downloadLink(name: string, { lifeMs, fileName }: { lifeMs: number; fileName: string }): Promise<BlobLink> {
    const command = new GetObjectCommand({
      ...this.#target(name),
      ResponseContentType: "application/vnd.mender-artifact",
      ResponseContentDisposition: `attachment; filename="${fileName}"`,
    });
    return this.#sign(command, lifeMs);
  }

  uploadLink(name: string, lifeMs: number): Promise<BlobLink> {
    return this.#sign(new PutObjectCommand(this.#target(name)), lifeMs);
  }

  /** The moment of signing has whole seconds; so has the end. */
  async #sign(command: GetObjectCommand | PutObjectCommand, lifeMs: number): Promise<BlobLink> {
    const expiresIn = Math.max(1, Math.floor(Math.min(lifeMs, LINK_LIFE_MS_MAX) / 1000));
    const signedMs = Math.floor(this.#store.clock.now() / 1000) * 1000;
    const uri = await getSignedUrl(this.#client, command, { expiresIn, signingDate: new Date(signedMs) });
    return { uri, expiresMs: signedMs + expiresIn * 1000 };
  }
}
