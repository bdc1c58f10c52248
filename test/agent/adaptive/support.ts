import { createHash } from "node:crypto";
import { flatten } from "@upkeep/shared/artifact/adaptive";
import { indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import type { ArtifactPlan } from "@upkeep/shared/artifact/write";
import { noopLogger } from "@upkeep/shared/logging";
import type { AdaptiveOffer } from "@upkeep/shared/protocol";
import { type AdaptiveSource, openAdaptively } from "../../../agent/adaptive/index.ts";
import type { ArtifactRanges, RangedName } from "../../../agent/server/deployment-server.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { MemoryFiles } from "../support/memory-files.ts";

/** Bytes that no compression makes smaller, the same for the same seed. */
export function noise(seed: string, count: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, block) =>
    createHash("sha256").update(`${seed} ${block}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, count);
}

/** An artifact as a server has it. */
export interface Served {
  readonly artifact: Buffer;
  readonly index: Buffer;
  readonly chunks: Buffer;
  readonly offer: AdaptiveOffer;
}

const AVERAGE_BYTES = 8192;

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export async function served(
  files: Readonly<Record<string, Buffer>>,
  plan: Partial<ArtifactPlan> = {},
): Promise<Served> {
  const artifact = await artifactBytes({
    kind: "module-image",
    type: "recorder",
    artifactName: "new",
    deviceTypes: ["board"],
    compression: "gzip",
    files: Object.entries(files).map(([name, content]) => sourceFile(name, content)),
    ...plan,
  } as ArtifactPlan);
  return await servedArtifact(artifact);
}

export async function servedArtifact(artifact: Buffer): Promise<Served> {
  const stored: Uint8Array[] = [];
  const index = await indexArtifact(whole(artifact), AVERAGE_BYTES, {
    compress: (content) => content,
    write: async (chunk) => {
      stored.push(Uint8Array.from(chunk));
    },
  });
  if (index === undefined) throw new Error("the artifact has no index");
  const chunks = Buffer.concat(stored);
  return {
    artifact,
    index: Buffer.from(index),
    chunks,
    offer: {
      artifact_size: artifact.length,
      index: {
        uri: "http://server/index",
        size: index.length,
        sha256: createHash("sha256").update(index).digest("hex"),
      },
      chunks: { uri: "http://server/chunks", size: chunks.length },
    },
  };
}

/** What was read of an artifact. */
export interface Read {
  readonly name: RangedName;
  readonly start: number;
  readonly end: number;
}

/** Parts of an artifact, from memory. */
export class MemoryRanges implements ArtifactRanges {
  readonly #served: Served;
  readonly reads: Read[] = [];
  fetchedBytes = 0;
  closed = false;
  /** May replace what is sent, for the n-th read (from 1). */
  change: (bytes: Buffer, read: Read, nth: number) => Buffer = (bytes) => bytes;

  constructor(served: Served) {
    this.#served = served;
  }

  async read(name: RangedName, start: number, end: number): Promise<Uint8Array> {
    const read = { name, start, end };
    this.reads.push(read);
    const bytes = this.change(Buffer.from(this.#served[name].subarray(start, end)), read, this.reads.length);
    this.fetchedBytes += bytes.length;
    return bytes;
  }

  close(): void {
    this.closed = true;
  }

  bytesOf(name: RangedName): number {
    return this.reads.filter((read) => read.name === name).reduce((sum, { start, end }) => sum + end - start, 0);
  }
}

export const KEPT_INDEX = "/data/payload/adaptive-index";

export interface Opened {
  readonly files: MemoryFiles;
  readonly ranges: MemoryRanges;
  readonly source: AdaptiveSource;
}

/** Opens an adaptive download of an artifact, and prepares it with seeds by path; `target …` is overwritten. */
export async function opened(
  artifact: Served,
  seeds: Readonly<Record<string, Buffer>>,
  { files = new MemoryFiles(), ranges = new MemoryRanges(artifact) } = {},
): Promise<Opened> {
  const named = Object.entries(seeds).map(([name, content]) => {
    const path = name.replace("target ", "");
    files.put(path, content);
    return { path, isTarget: path !== name };
  });
  const source = await openAdaptively({ files, log: noopLogger, offer: artifact.offer, ranges, keptIndex: KEPT_INDEX });
  const never = new AbortController().signal;
  await source.prepare({ named, payloadType: "recorder", manifest: new Map() }, never);
  return { files, ranges, source };
}

/** The artifact as an adaptive download must give it. */
export async function flattened({ artifact }: Served, { source }: Opened): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of flatten(whole(artifact), source.index.tarBytes)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

/** All bytes that a source gives. */
export async function received(
  source: AdaptiveSource,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of source.content) {
    pieces.push(Uint8Array.from(piece));
    bytes += piece.length;
    onBytes(bytes);
  }
  await source.close();
  return Buffer.concat(pieces);
}
