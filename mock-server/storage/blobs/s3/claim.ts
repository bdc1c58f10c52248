import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { SystemError } from "@upkeep/shared/system";
import { hasStatus, type S3Store, writeIfAbsent } from "./store.ts";

/** The object that names the owner of the blobs. */
const CLAIM = "upkeep-server";

/**
 * Claims the blobs for an owner.
 * @throws SystemError (EBUSY) if they have another owner.
 */
export async function claim(store: S3Store, owner: string): Promise<void> {
  let current = await ownerOf(store);
  if (current === undefined) {
    await put(store, owner);
    current = await ownerOf(store);
  }
  if (current !== owner) throw new SystemError("EBUSY", "other records keep their artifacts there");
}

function target({ location }: S3Store): { readonly Bucket: string; readonly Key: string } {
  return { Bucket: location.bucket, Key: location.prefix + CLAIM };
}

async function ownerOf(store: S3Store): Promise<string | undefined> {
  try {
    const { Body } = await store.client.send(new GetObjectCommand(target(store)));
    return await Body?.transformToString();
  } catch (error) {
    if (hasStatus(error, 404) && error instanceof Error && error.name !== "NoSuchBucket") return undefined;
    throw error;
  }
}

async function put(store: S3Store, owner: string): Promise<void> {
  try {
    await writeIfAbsent(store, (condition) =>
      store.client.send(
        new PutObjectCommand({ ...target(store), ...condition, Body: owner, ContentType: "text/plain" }),
      ),
    );
  } catch (error) {
    // Another server of the same fleet, or not, was quicker: what it wrote is read next.
    if (!hasStatus(error, 412)) throw error;
  }
}
