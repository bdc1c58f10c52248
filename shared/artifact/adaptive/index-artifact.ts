import { createHash } from "node:crypto";
import { TarReader } from "../tar/reader.ts";
import type { ArtifactContent, ReadOptions } from "../types.ts";
import { chunkHash } from "./chunk-content.ts";
import { INDEX_LIMITS } from "./chunk-index.ts";
import { type Cut, Cutter, chunkSizes } from "./chunker.ts";
import { type ChunkColumns, encodeChunkIndex, SegmentWriter } from "./encode-index.ts";
import { FLATTENED_END, partsOf, tarHeader, tarPadding } from "./flatten.ts";
import { Recorded } from "./recorded.ts";

/** Chunks that are being compressed at the same time. */
const COMPRESSING_MAX = 8;

export interface IndexPorts {
  /** Compresses a chunk into one zstd frame that states the size of its content. The content may be kept. */
  readonly compress: (content: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  /** Appends to the file of chunks. */
  readonly write: (stored: Uint8Array) => Promise<void>;
  /** Told, as work goes on, how many bytes of the artifact were read. */
  readonly onProgress?: (artifactBytes: number) => void;
  readonly decompressors?: ReadOptions["decompressors"];
}

/**
 * Cuts the payloads of an artifact into chunks, stores each unique chunk once, and makes the index.
 * @param averageBytes See `averageFor`.
 * @returns The index as a file; `undefined` if the artifact has no payload, or its index would be too large.
 * @throws ArtifactError
 */
export async function indexArtifact(
  source: ArtifactContent,
  averageBytes: number,
  ports: IndexPorts,
): Promise<Uint8Array | undefined> {
  const artifact = { bytes: 0, hash: createHash("sha256") };
  const measured = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      artifact.bytes += chunk.length;
      artifact.hash.update(chunk);
      ports.onProgress?.(artifact.bytes);
      yield chunk;
    }
  };
  const cutting = new Cutting(averageBytes, ports);
  const segments = new SegmentWriter();
  /** Encoded segments; the header of a tar states a size that is known once the tar was read. */
  const encoded: Uint8Array[] = [];
  const tarBytes: number[] = [];
  let prefixBytes = 0;
  try {
    for await (const part of partsOf(measured(), ports.decompressors)) {
      if (part.kind === "prefix") {
        prefixBytes += part.bytes.length;
        continue;
      }
      const sizeBytes = await cutting.tar(part.content, part.name, segments);
      tarBytes.push(sizeBytes);
      const inner = segments.take();
      segments.literal(tarHeader(part.name, sizeBytes));
      encoded.push(segments.take(), inner);
      segments.literal(tarPadding(sizeBytes));
    }
    await cutting.flush();
  } finally {
    await cutting.settle();
  }
  if (tarBytes.length === 0) return undefined;
  segments.literal(FLATTENED_END);
  encoded.push(segments.take());
  const index = encodeChunkIndex(
    {
      artifactSha256: artifact.hash.digest("hex"),
      artifactBytes: artifact.bytes,
      prefixBytes,
      tarBytes,
      averageBytes,
    },
    cutting.columns(),
    Buffer.concat(encoded),
  );
  return index.length > INDEX_LIMITS.indexBytesMax ? undefined : index;
}

/** Cuts tars, and compresses and stores the chunks that were not there before. */
class Cutting {
  readonly #cutter: Cutter;
  readonly #ports: IndexPorts;
  /** Numbers of chunks by their hash. */
  readonly #numbers = new Map<string, number>();
  readonly #hashes: Uint8Array[] = [];
  readonly #lengths: number[] = [];
  readonly #storedLengths: number[] = [];
  /** Chunks on their way into the file of chunks, in their order. */
  readonly #compressing: Promise<Uint8Array>[] = [];

  constructor(averageBytes: number, ports: IndexPorts) {
    this.#cutter = new Cutter(chunkSizes(averageBytes));
    this.#ports = ports;
  }

  /** Appends the segments of a tar: headers and padding are literals, the contents of files are cut. */
  async tar(content: ArtifactContent, name: string, segments: SegmentWriter): Promise<number> {
    const recorded = new Recorded(content);
    const reader = new TarReader(recorded, name, true);
    try {
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        for (const bytes of recorded.upTo(reader.position)) segments.literal(bytes);
        while ((await entry.read()) !== undefined) {
          for (const bytes of recorded.upTo(reader.position)) {
            for (const cut of this.#cutter.push(bytes)) await this.#add(cut, segments);
          }
        }
        for (const cut of this.#cutter.end()) await this.#add(cut, segments);
      }
      for (const bytes of recorded.upTo(reader.position)) segments.literal(bytes);
      return reader.position;
    } finally {
      await reader.close();
    }
  }

  async #add(cut: Cut, segments: SegmentWriter): Promise<void> {
    if ("zeroBytes" in cut) {
      segments.zeros(cut.zeroBytes);
      return;
    }
    const hash = chunkHash(cut.content);
    const key = Buffer.from(hash).toString("latin1");
    const known = this.#numbers.get(key);
    segments.chunk(known ?? this.#hashes.length);
    if (known !== undefined) return;
    this.#numbers.set(key, this.#hashes.length);
    this.#hashes.push(hash);
    this.#lengths.push(cut.content.length);
    if (this.#compressing.length >= COMPRESSING_MAX) await this.#storeNext();
    this.#compressing.push(compressed(Uint8Array.from(cut.content), this.#ports.compress));
  }

  async #storeNext(): Promise<void> {
    const stored = await this.#compressing.shift();
    if (stored === undefined) return;
    this.#storedLengths.push(stored.length);
    await this.#ports.write(stored);
  }

  /** Stores what is on its way. */
  async flush(): Promise<void> {
    while (this.#compressing.length > 0) await this.#storeNext();
  }

  /** After a failure: waits for what was begun. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#compressing);
  }

  columns(): ChunkColumns {
    return { hashes: Buffer.concat(this.#hashes), lengths: this.#lengths, storedLengths: this.#storedLengths };
  }
}

/** A chunk as it is stored: compressed, or as it is where that is not larger. */
async function compressed(content: Uint8Array, compress: IndexPorts["compress"]): Promise<Uint8Array> {
  const stored = await compress(content);
  return stored.length < content.length ? stored : content;
}
