import { createHash } from "node:crypto";
import type { ReadOptions } from "@upkeep/shared/artifact";
import { averageFor, decodeChunkIndex } from "@upkeep/shared/artifact/adaptive";
import { checkIndex, indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import { given } from "@upkeep/shared/given";
import type { Random } from "@upkeep/shared/system";
import type { Blob, Blobs } from "../../storage/blobs/index.ts";
import type { ArtifactIndex, ArtifactRecord, NoIndex } from "../../storage/index.ts";

/** Payload files of less than this in all have no index: its download would cost as much as they do. */
const PAYLOAD_BYTES_MIN = 64 * 1024;

export interface MakeIndexPorts {
  readonly blobs: Blobs;
  readonly random: Pick<Random, "uuid">;
  readonly compress: (content: Uint8Array) => Promise<Uint8Array>;
  readonly decompressors?: ReadOptions["decompressors"];
  /** Told, as work goes on, what part of it is done, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
  /** Aborted when the work is not wanted any more. */
  readonly signal?: AbortSignal;
}

/**
 * Makes the index of a stored artifact and its chunks, as two blobs of new names. They are read again and compared with
 * the artifact: when this resolves, they give the artifact.
 * @throws ArtifactError if what was read again differs; if the artifact's blob is missing, the store fails, or the signal is aborted; no blob is left then.
 */
export async function makeIndex(
  artifact: Pick<ArtifactRecord, "id" | "payloads">,
  ports: MakeIndexPorts,
): Promise<ArtifactIndex | NoIndex> {
  const payloadBytes = artifact.payloads.flatMap(({ files }) => files).reduce((sum, file) => sum + file.sizeBytes, 0);
  if (payloadBytes < PAYLOAD_BYTES_MIN) return { fault: `its files have less than ${PAYLOAD_BYTES_MIN / 1024} KiB` };
  const { blobs, random } = ports;
  const names = { index: random.uuid(), chunks: random.uuid() };
  let isMade = false;
  try {
    const made = await withBlob(blobs, artifact.id, (blob) => make(blob, averageFor(payloadBytes), names, ports));
    isMade = !("fault" in made);
    return made;
  } finally {
    if (!isMade) for (const name of Object.values(names)) await blobs.remove(name);
  }
}

async function make(
  artifact: Blob,
  averageBytes: number,
  names: { readonly index: string; readonly chunks: string },
  { blobs, compress, decompressors, onProgress, signal }: MakeIndexPorts,
): Promise<ArtifactIndex | NoIndex> {
  /** Both passes read the artifact once. */
  const content = async function* (pass: 0 | 1): AsyncGenerator<Uint8Array> {
    let position = 0;
    for await (const chunk of artifact.read(0, artifact.sizeBytes)) {
      signal?.throwIfAborted();
      yield chunk;
      position += chunk.length;
      onProgress?.((pass + position / artifact.sizeBytes) / 2);
    }
  };
  let chunkBytes = 0;
  const writer = await blobs.create(names.chunks);
  let bytes: Uint8Array | undefined;
  try {
    bytes = await indexArtifact(content(0), averageBytes, {
      compress,
      write: async (stored) => {
        chunkBytes += stored.length;
        await writer.write(stored);
      },
      ...given({ decompressors }),
    });
    if (bytes === undefined) return { fault: "its index would be too large" };
    await writer.commit();
  } finally {
    await writer.discard();
  }
  await write(blobs, names.index, bytes);
  await withBlob(blobs, names.index, async (index) => {
    const decoded = decodeChunkIndex(await readWhole(index));
    await withBlob(blobs, names.chunks, (chunks) =>
      checkIndex(
        decoded,
        content(1),
        { [Symbol.asyncIterator]: () => chunks.read(0, chunks.sizeBytes) },
        decompressors,
      ),
    );
  });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return {
    index: { blob: names.index, sizeBytes: bytes.length, sha256 },
    chunks: { blob: names.chunks, sizeBytes: chunkBytes },
  };
}

async function withBlob<T>(blobs: Blobs, name: string, use: (blob: Blob) => Promise<T>): Promise<T> {
  const blob = await blobs.open(name);
  if (blob === undefined) throw new Error(`the blob ${name} is missing`);
  try {
    return await use(blob);
  } finally {
    await blob.close();
  }
}

async function write(blobs: Blobs, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await blobs.create(name);
  try {
    await writer.write(bytes);
    await writer.commit();
  } finally {
    await writer.discard();
  }
}

async function readWhole(blob: Blob): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of blob.read(0, blob.sizeBytes)) pieces.push(piece);
  return Buffer.concat(pieces);
}
