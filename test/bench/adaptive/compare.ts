import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync, readSync, statSync, writeSync } from "node:fs";
import {
  type ChunkIndex,
  ChunkLookup,
  Cutter,
  chunkHash,
  chunkSizes,
  decodeChunkIndex,
  planDownload,
} from "@upkeep/shared/artifact/adaptive";
import { indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import type { Tool } from "./images.ts";

const BLOCK_BYTES = 4096;

/** What an update costs, in bytes on the wire, requests included. */
export interface Costs {
  readonly image: number;
  readonly gzip: number;
  readonly zstd: number;
  readonly xdelta: number;
  readonly patch: number;
  /** RAUC's adaptive method: a hash per block of 4 KiB, and the blocks that are not there, uncompressed. */
  readonly blocks: number;
  readonly adaptive: number;
  readonly requests: number;
  readonly index: number;
  /** The file of chunks in the server's store. */
  readonly chunks: number;
}

/** Compresses each chunk once, also those of other images. */
export class KnownChunks {
  readonly #stored = new Map<string, Uint8Array>();
  readonly #compress: (content: Uint8Array) => Promise<Uint8Array>;

  constructor(compress: (content: Uint8Array) => Promise<Uint8Array>) {
    this.#compress = compress;
  }

  readonly compress = async (content: Uint8Array): Promise<Uint8Array> => {
    const key = Buffer.from(chunkHash(content)).toString("latin1");
    const known = this.#stored.get(key) ?? (await this.#compress(content));
    this.#stored.set(key, known);
    return known;
  };
}

/** The index of an uncompressed artifact that brings the image. */
export async function indexOf(image: string, chunks: KnownChunks): Promise<{ index: ChunkIndex; bytes: number }> {
  const artifact = `${image}.mender`;
  const handle = openSync(artifact, "w+");
  let position = 0;
  await writeArtifact(
    {
      kind: "rootfs-image",
      artifactName: "release",
      deviceTypes: ["bench"],
      compression: "none",
      file: { name: "image", sizeBytes: statSync(image).size, read: () => createReadStream(image) },
    },
    {
      write: async (data, at) => {
        writeSync(handle, data, 0, data.length, at ?? position);
        if (at === undefined) position += data.length;
      },
    },
  );
  closeSync(handle);
  const bytes = await indexArtifact(createReadStream(artifact, { highWaterMark: 1 << 20 }), 8192, {
    compress: chunks.compress,
    write: async () => undefined,
  });
  execFileSync("rm", [artifact]);
  if (bytes === undefined) throw new Error(`${image}: no index`);
  return { index: decodeChunkIndex(bytes), bytes: bytes.length };
}

/** Which chunks of the index a seed has. */
export async function chunksIn(seeds: readonly string[], index: ChunkIndex, upTo = Infinity): Promise<Uint8Array> {
  const lookup = new ChunkLookup(index.chunks);
  const found = new Uint8Array(index.chunks.count);
  for (const seed of seeds) {
    const cutter = new Cutter(chunkSizes(index.averageBytes));
    const take = (cuts: ReturnType<Cutter["push"]>): void => {
      for (const cut of cuts) {
        const chunk = "content" in cut ? lookup.find(chunkHash(cut.content)) : -1;
        if (chunk >= 0) found[chunk] = 1;
      }
    };
    for await (const piece of createReadStream(seed, { highWaterMark: 1 << 20, end: upTo })) take(cutter.push(piece));
    take(cutter.end());
  }
  return found;
}

/** Bytes of blocks that the old image does not have, with the table of hashes. */
async function blocksCost(before: string, after: string): Promise<number> {
  const known = new Set<string>();
  const blocks = function* (path: string): Generator<Buffer> {
    const handle = openSync(path, "r");
    const buffer = Buffer.alloc(BLOCK_BYTES);
    for (let read = readSync(handle, buffer); read > 0; read = readSync(handle, buffer)) yield buffer.subarray(0, read);
    closeSync(handle);
  };
  const nameOf = (block: Buffer): string => createHash("sha256").update(block).digest("base64");
  known.add(nameOf(Buffer.alloc(BLOCK_BYTES)));
  for (const block of blocks(before)) known.add(nameOf(block));
  let fetched = 0;
  for (const block of blocks(after)) {
    const name = nameOf(block);
    if (known.has(name)) continue;
    known.add(name);
    fetched += block.length;
  }
  return fetched + (statSync(after).size / BLOCK_BYTES) * 32;
}

function sizeOf(path: string): number {
  const { size } = statSync(path);
  execFileSync("rm", [path]);
  return size;
}

const shell = (command: string): void =>
  void execFileSync("sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe"] });

/** Measures what the way from one image to another costs with each method. */
export async function compare(before: string, after: string, chunks: KnownChunks, tool: Tool): Promise<Costs> {
  const { index, bytes } = await indexOf(after, chunks);
  const found = await chunksIn([before], index);
  const plan = planDownload(index, bytes, { has: (chunk) => found[chunk] === 1 });
  shell(`gzip -6 -c ${after} > ${after}.gz`);
  shell(`zstd -q -f -19 -T2 ${after} -o ${after}.zst`);
  tool("xdelta3", ["-9", "-e", "-f", "-B", "1073741824", "-s", before, after, `${after}.xdelta`]);
  shell(`zstd -q -f -19 --long=31 -T2 --patch-from=${before} ${after} -o ${after}.patch`);
  return {
    image: statSync(after).size,
    gzip: sizeOf(`${after}.gz`),
    zstd: sizeOf(`${after}.zst`),
    xdelta: sizeOf(`${after}.xdelta`),
    patch: sizeOf(`${after}.patch`),
    blocks: await blocksCost(before, after),
    adaptive: plan.costBytes,
    requests: plan.ranges.length + 2,
    index: bytes,
    chunks: index.chunks.storedBytes,
  };
}

/** What is fetched in all if the update is interrupted at `share` of the image, and goes on with what it wrote. */
export async function interrupted(before: string, after: string, chunks: KnownChunks, share: number): Promise<number> {
  const { index, bytes } = await indexOf(after, chunks);
  const first = await chunksIn([before], index);
  const until = Math.floor(statSync(after).size * share);
  const whole = planDownload(index, bytes, { has: (chunk) => first[chunk] === 1 });
  const behind = planDownload(index, bytes, { has: (chunk, offset) => first[chunk] === 1 || offset > until });
  const written = await chunksIn([after], index, until);
  const again = planDownload(index, bytes, { has: (chunk) => first[chunk] === 1 || written[chunk] === 1 });
  return (behind.costBytes + again.costBytes) / whole.costBytes;
}
