import { createHash } from "node:crypto";
import { isSystemError } from "@upkeep/shared/system";
import { DomainError, invalid, notFound } from "../errors.ts";
import type { Blobs, BlobWriter } from "../storage/blobs/index.ts";
import { ARTIFACT_BYTES_MAX, takeArtifact, type UploadPorts } from "./upload.ts";

/**
 * The blob that holds an upload until it is completed. It is never an artifact itself, and is swept like every blob
 * without an artifact if the upload is never completed.
 */
export function waitingName(id: string): string {
  const hex = createHash("sha256").update(`upload ${id}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Stores the bytes of an upload, in place of an earlier upload with this id.
 * @throws DomainError (artifact-being-uploaded) while another request uploads it; (artifact-too-large)
 */
export async function keepUpload(
  id: string,
  content: AsyncIterable<Uint8Array>,
  { blobs }: Pick<UploadPorts, "blobs">,
): Promise<void> {
  const writer = await beginAnew(id, blobs);
  try {
    let sizeBytes = 0;
    for await (const chunk of content) {
      sizeBytes += chunk.length;
      if (sizeBytes > ARTIFACT_BYTES_MAX) throw new DomainError("artifact-too-large");
      await writer.write(chunk);
    }
    await writer.commit();
  } finally {
    await writer.discard();
  }
}

async function beginAnew(id: string, blobs: Blobs): Promise<BlobWriter> {
  const name = waitingName(id);
  await blobs.remove(name);
  try {
    return await blobs.create(name);
  } catch (error) {
    if (isSystemError(error, "EEXIST")) throw new DomainError("artifact-being-uploaded", { id });
    throw error;
  }
}

export interface CompletePorts extends UploadPorts {
  readonly isArtifact: (id: string) => Promise<boolean>;
}

/**
 * Makes an artifact of an upload: checks and copies it in one pass, so that the deployed bytes are the checked ones
 * and no upload link reaches them. An invalid artifact is deleted. Completing twice has no further effect.
 * @param sizeBytes The size that the sender announced.
 * @throws DomainError (not-found) if nothing was uploaded; and as `takeArtifact` does.
 */
export async function completeUpload(
  { id, sizeBytes }: { readonly id: string; readonly sizeBytes?: number },
  ports: CompletePorts,
): Promise<void> {
  const name = waitingName(id);
  const waiting = await ports.blobs.open(name);
  if (waiting === undefined) {
    if (await ports.isArtifact(id)) return;
    throw notFound();
  }
  try {
    if (sizeBytes !== undefined && sizeBytes !== waiting.sizeBytes) {
      throw invalid(`size: ${sizeBytes} bytes were announced, ${waiting.sizeBytes} came`);
    }
    const content = waiting.read(0, waiting.sizeBytes);
    await takeArtifact({ id, content, description: "", sizeBytes: waiting.sizeBytes }, ports);
  } catch (error) {
    // After a fault of the server, the upload stays, so that completing it can be retried.
    if (error instanceof DomainError) await ports.blobs.remove(name);
    throw error;
  } finally {
    await waiting.close();
  }
  await ports.blobs.remove(name);
}
