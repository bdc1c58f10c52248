import { createHash } from "node:crypto";
import type { RecordedArtifact } from "../../storage/backup.ts";
import type { Blob, Blobs } from "../../storage/blobs/index.ts";
import { CommandError } from "../failure.ts";

/**
 * Copy the bytes of all artifacts from one store to another. Those that are there already, from an earlier run, are
 * only compared.
 * @throws CommandError if the target has other blobs, or bytes are missing or not what was uploaded.
 */
export async function moveArtifacts(
  source: Blobs,
  target: Blobs,
  artifacts: readonly RecordedArtifact[],
): Promise<void> {
  const known = new Set(artifacts.map(({ id }) => id));
  const foreign = (await target.names()).filter((name) => !known.has(name));
  if (foreign.length > 0) {
    throw new CommandError(`--to-blobs: is not empty: it has ${foreign.length} artifacts that the records do not know`);
  }
  for (const artifact of artifacts) {
    if ((await faultOf(target, artifact)) === undefined) continue;
    await target.remove(artifact.id);
    await copy(source, target, artifact);
    const fault = await faultOf(target, artifact);
    if (fault !== undefined) throw new CommandError(`--to-blobs: artifact ${artifact.id} ${fault} after it was copied`);
  }
}

async function copy(source: Blobs, target: Blobs, artifact: RecordedArtifact): Promise<void> {
  const { id } = artifact;
  const blob = await source.open(id);
  if (blob === undefined) {
    throw new CommandError(
      `artifact ${id}: its bytes are missing, so it cannot be moved: delete it in the server first`,
    );
  }
  try {
    const writer = await target.create(id);
    try {
      const hash = createHash("sha256");
      for await (const chunk of blob.read(0, blob.sizeBytes)) {
        hash.update(chunk);
        await writer.write(chunk);
      }
      if (hash.digest("hex") !== artifact.sha256) {
        throw new CommandError(
          `artifact ${id}: its bytes are not what was uploaded, so it is not moved: delete it in the server first`,
        );
      }
      await writer.commit();
    } finally {
      await writer.discard();
    }
  } finally {
    await blob.close();
  }
}

/** What is wrong with an artifact's bytes in a store; `undefined` if they are what the records say. */
async function faultOf(blobs: Blobs, { id, sizeBytes, sha256 }: RecordedArtifact): Promise<string | undefined> {
  const blob = await blobs.open(id);
  if (blob === undefined) return "is missing";
  try {
    if (blob.sizeBytes !== sizeBytes) return `has ${blob.sizeBytes} bytes, not ${sizeBytes}`;
    return (await digestOf(blob)) === sha256 ? undefined : "is not what was uploaded";
  } finally {
    await blob.close();
  }
}

async function digestOf(blob: Blob): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of blob.read(0, blob.sizeBytes)) hash.update(chunk);
  return hash.digest("hex");
}
