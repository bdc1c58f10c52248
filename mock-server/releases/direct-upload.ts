import { createHash } from "node:crypto";
import { isSystemError } from "@upkeep/shared/system";
import { DomainError, invalid, notFound } from "../errors.ts";
import type { Blobs, BlobWriter } from "../storage/blobs/index.ts";
import { ARTIFACT_BYTES_MAX, takeArtifact, type UploadPorts } from "./upload.ts";

/**
 * Where the bytes of an upload wait until it is said that they are complete: a blob beside the artifacts, which
 * never is one. What is never completed is cleared away like everything that belongs to no artifact.
 */
export function waitingName(id: string): string {
  const hex = createHash("sha256").update(`upload ${id}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Keep the bytes of an upload until they are complete, in place of what came before under this id.
 * @throws DomainError (conflict) while they come from somewhere else too; (too-large)
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
 * Make an artifact of the bytes that wait: checked and copied in one pass, so that what is deployed is what was
 * checked, and no link to upload reaches it. Bytes that are no artifact are forgotten. Completing twice is fine.
 * @param sizeBytes How long the sender says that the artifact is.
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
    // A fault of ours is no reason to upload again.
    if (error instanceof DomainError) await ports.blobs.remove(name);
    throw error;
  } finally {
    await waiting.close();
  }
  await ports.blobs.remove(name);
}
