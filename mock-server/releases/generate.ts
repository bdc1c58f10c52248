import { type ModuleImagePlan, PlanError, type SourceFile } from "@upkeep/shared/artifact/write";
import type { Random } from "@upkeep/shared/system";
import { DomainError, invalid } from "../errors.ts";
import type { Blob, Blobs } from "../storage/blobs/index.ts";
import { artifactStream } from "./appended.ts";
import { takeArtifact, type UploadPorts } from "./upload.ts";

/** The maximum size of a file for a generated artifact: 256 MiB. */
export const RAW_FILE_BYTES_MAX = 256 * 1024 ** 2;

/** The content of a generated artifact for the update module `single-file`. */
export interface RawFile {
  readonly artifactName: string;
  readonly description: string;
  readonly deviceTypes: readonly string[];
  /** Absolute directory on the device. */
  readonly destination: string;
  readonly fileName: string;
  /** The file, as it arrives. */
  readonly content: AsyncIterable<Uint8Array>;
  /** The size that the sender announced, if any. */
  readonly sizeBytes?: number;
}

function fixed(name: string, text: string): SourceFile {
  const content = Buffer.from(text);
  return {
    name,
    sizeBytes: content.length,
    read: async function* () {
      yield content;
    },
  };
}

function planOf(file: RawFile, raw: Blob): ModuleImagePlan {
  return {
    kind: "module-image",
    type: "single-file",
    artifactName: file.artifactName,
    deviceTypes: file.deviceTypes,
    files: [
      fixed("dest_dir", `${file.destination}\n`),
      fixed("filename", `${file.fileName}\n`),
      fixed("permissions", "644\n"),
      { name: file.fileName, sizeBytes: raw.sizeBytes, read: () => raw.read(0, raw.sizeBytes) },
    ],
  };
}

async function keepRaw(file: RawFile, id: string, blobs: Blobs): Promise<void> {
  const writer = await blobs.create(id);
  try {
    let sizeBytes = 0;
    for await (const chunk of file.content) {
      sizeBytes += chunk.length;
      if (sizeBytes > RAW_FILE_BYTES_MAX) throw new DomainError("file-too-large");
      await writer.write(chunk);
    }
    if (file.sizeBytes !== undefined && file.sizeBytes !== sizeBytes) {
      throw invalid(`size: ${file.sizeBytes} bytes were announced, ${sizeBytes} came`);
    }
    await writer.commit();
  } finally {
    await writer.discard();
  }
}

/**
 * Generates an artifact from a file and stores it like an uploaded one.
 * @returns The new artifact's id.
 * @throws DomainError (invalid, too-large); (artifact-not-unique)
 */
export async function generateArtifact(
  file: RawFile,
  ports: UploadPorts & { readonly system: { readonly random: Random } },
): Promise<string> {
  const rawId = ports.system.random.uuid();
  await keepRaw(file, rawId, ports.blobs);
  try {
    const raw = await ports.blobs.open(rawId);
    if (raw === undefined) throw new Error(`the file ${rawId} that was just kept is missing`);
    try {
      const content = artifactStream(planOf(file, raw));
      return await takeArtifact({ content, description: file.description }, ports);
    } finally {
      await raw.close();
    }
  } catch (error) {
    if (error instanceof PlanError) throw invalid(error.message, { cause: error });
    if (error instanceof DomainError && error.kind === "conflict") {
      throw new DomainError("artifact-not-unique", {}, { cause: error });
    }
    throw error;
  } finally {
    await ports.blobs.remove(rawId);
  }
}
