import { createHash } from "node:crypto";
import { ArtifactError, type ArtifactReading, openArtifact, type ReadOptions } from "@upkeep/shared/artifact";
import { isSystemError, type System } from "@upkeep/shared/system";
import { DomainError, invalid } from "../errors.ts";
import type { Blobs, BlobWriter } from "../storage/blobs/index.ts";
import type { ArtifactRecord, PayloadFileRecord, PayloadRecord } from "../storage/index.ts";
import { type Described, describeArtifact, describePayload } from "./metadata.ts";

/** The maximum size of an artifact: 10 GiB. */
export const ARTIFACT_BYTES_MAX = 10 * 1024 ** 3;

export interface Upload {
  /** The artifact, as it arrives. */
  readonly content: AsyncIterable<Uint8Array>;
  readonly description: string;
  /** The size that the sender announced, if any. */
  readonly sizeBytes?: number;
  /** The identifier that the sender chose. */
  readonly id?: string;
}

export interface UploadPorts {
  readonly system: Pick<System, "clock" | "random">;
  readonly blobs: Blobs;
  /** Inserts the record of the artifact. Rejects, for example, if one with the same name and depends exists. */
  readonly record: (artifact: ArtifactRecord) => Promise<void>;
  /** Instead of the reader's own. */
  readonly decompressors?: ReadOptions["decompressors"];
}

/**
 * Stores an artifact in one pass: the incoming bytes are written to the blob store and parsed at the same time. The
 * record is inserted when the whole artifact is valid and durable; otherwise nothing of it remains.
 * @returns The new artifact's id.
 */
export async function takeArtifact(upload: Upload, ports: UploadPorts): Promise<string> {
  const id = upload.id ?? ports.system.random.uuid();
  if (upload.sizeBytes !== undefined && upload.sizeBytes > ARTIFACT_BYTES_MAX) throw artifactTooLarge();
  const writer = await begin(ports.blobs, id);
  try {
    const artifact = await store(upload, id, writer, ports);
    await writer.commit();
    await recordOrRemove(artifact, ports);
    return id;
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    const details = { fault: error.message, artifactFault: error.code };
    throw new DomainError("unreadable-artifact", details, { cause: error });
  } finally {
    await writer.discard();
  }
}

async function begin(blobs: Blobs, id: string): Promise<BlobWriter> {
  try {
    return await blobs.create(id);
  } catch (error) {
    if (isSystemError(error, "EEXIST")) throw new DomainError("artifact-id-exists", { id });
    throw error;
  }
}

async function recordOrRemove(artifact: ArtifactRecord, { blobs, record }: UploadPorts): Promise<void> {
  try {
    await record(artifact);
  } catch (error) {
    await blobs.remove(artifact.id);
    throw error;
  }
}

async function store(upload: Upload, id: string, writer: BlobWriter, ports: UploadPorts): Promise<ArtifactRecord> {
  const modifiedMs = ports.system.clock.now();
  const copied = { sizeBytes: 0, sha256: createHash("sha256") };
  const reading = await openArtifact(copying(upload, writer, copied), readOptions(ports));
  try {
    const described = describeArtifact(reading.header);
    const payloads = await readPayloads(reading);
    if (upload.sizeBytes !== undefined && copied.sizeBytes !== upload.sizeBytes) {
      throw invalid(`size: ${upload.sizeBytes} bytes were announced, ${copied.sizeBytes} came`);
    }
    return recordOf(described, payloads, {
      id,
      description: upload.description,
      sizeBytes: copied.sizeBytes,
      sha256: copied.sha256.digest("hex"),
      modifiedMs,
    });
  } finally {
    await reading.close();
  }
}

function readOptions({ decompressors }: UploadPorts): ReadOptions {
  return decompressors === undefined ? {} : { decompressors };
}

function recordOf(
  described: Described,
  payloads: readonly PayloadRecord[],
  rest: Pick<ArtifactRecord, "id" | "description" | "sizeBytes" | "sha256" | "modifiedMs">,
): ArtifactRecord {
  return { ...rest, ...described, payloads };
}

/** Passes the incoming bytes on, written and counted. The write runs while the reader parses the same bytes. */
async function* copying(
  upload: Upload,
  writer: BlobWriter,
  copied: { sizeBytes: number; readonly sha256: ReturnType<typeof createHash> },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of upload.content) {
    copied.sizeBytes += chunk.length;
    if (copied.sizeBytes > ARTIFACT_BYTES_MAX) throw artifactTooLarge();
    if (upload.sizeBytes !== undefined && copied.sizeBytes > upload.sizeBytes) {
      throw invalid(`size: ${upload.sizeBytes} bytes were announced, and more came`);
    }
    const written = writer.write(chunk).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    let fault: { readonly error: unknown } | undefined;
    try {
      copied.sha256.update(chunk);
      yield chunk;
    } finally {
      // Also if the reader stops early: the file must not be closed during a write.
      fault = await written;
    }
    if (fault !== undefined) throw fault.error;
  }
}

async function readPayloads(reading: ArtifactReading): Promise<PayloadRecord[]> {
  const payloads: PayloadRecord[] = [];
  for await (const payload of reading.payloads()) {
    const files: PayloadFileRecord[] = [];
    for await (const file of payload.files()) {
      for await (const _ of file.content);
      const { name, sizeBytes, sha256, modifiedMs } = file;
      files.push({ name, sizeBytes, sha256, modifiedMs });
    }
    payloads.push(describePayload(payload.header, files));
  }
  return payloads;
}

function artifactTooLarge(): Error {
  return new DomainError("artifact-too-large");
}
