import { execFileSync } from "node:child_process";
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
const AVERAGE_BYTES = 8192;

/** What the whole image costs, and a delta by zstd. */
export interface WholeCosts {
  readonly gzip: number;
  /** Level 19. */
  readonly zstd: number;
  /** `zstd --patch-from`. */
  readonly patch: number;
}

/** What an update costs, in bytes on the wire, requests included. */
export interface Costs {
  readonly image: number;
  readonly xdelta: number;
  /** RAUC's adaptive method: a hash per block of 4 KiB, and the blocks that are not there, uncompressed. */
  readonly blocks: number;
  readonly adaptive: number;
  readonly requests: number;
  readonly index: number;
}

type Compress = (content: Uint8Array) => Promise<Uint8Array>;

/**
 * Compresses what a device does not have as the server does. What it has is compressed quickly: its size decides only
 * which missing chunks lie near each other.
 */
export class Compression {
  readonly #known = new Set<string>();
  readonly #quickly: Compress;
  readonly #well: Compress;

  constructor(quickly: Compress, well: Compress) {
    this.#quickly = quickly;
    this.#well = well;
  }

  /** The device has the chunks of this image. */
  async know(image: string): Promise<void> {
    const cutter = new Cutter(chunkSizes(AVERAGE_BYTES));
    const take = (cuts: ReturnType<Cutter["push"]>): void => {
      for (const cut of cuts) if ("content" in cut) this.#known.add(nameOf(cut.content));
    };
    for await (const piece of createReadStream(image, { highWaterMark: 1 << 20 })) take(cutter.push(piece));
    take(cutter.end());
  }

  readonly compress: Compress = (content) =>
    this.#known.has(nameOf(content)) ? this.#quickly(content) : this.#well(content);
}

function nameOf(content: Uint8Array): string {
  return Buffer.from(chunkHash(content)).toString("latin1");
}

/** The index of an uncompressed artifact that brings the image. */
async function indexOf(image: string, compression: Compression): Promise<{ index: ChunkIndex; bytes: number }> {
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
  const bytes = await indexArtifact(createReadStream(artifact, { highWaterMark: 1 << 20 }), AVERAGE_BYTES, {
    compress: compression.compress,
    write: async () => undefined,
  });
  execFileSync("rm", [artifact]);
  if (bytes === undefined) throw new Error(`${image}: no index`);
  return { index: decodeChunkIndex(bytes), bytes: bytes.length };
}

/** Which chunks of the index a seed has, up to a place in it. */
async function chunksIn(seed: string, index: ChunkIndex, upTo = Infinity): Promise<Uint8Array> {
  const lookup = new ChunkLookup(index.chunks);
  const found = new Uint8Array(index.chunks.count);
  const cutter = new Cutter(chunkSizes(index.averageBytes));
  const take = (cuts: ReturnType<Cutter["push"]>): void => {
    for (const cut of cuts) {
      const chunk = "content" in cut ? lookup.find(chunkHash(cut.content)) : -1;
      if (chunk >= 0) found[chunk] = 1;
    }
  };
  for await (const piece of createReadStream(seed, { highWaterMark: 1 << 20, end: upTo })) take(cutter.push(piece));
  take(cutter.end());
  return found;
}

/** Bytes of blocks that the old image does not have, with the table of hashes. */
function blocksCost(before: string, after: string): number {
  const known = new Set<string>();
  const blocks = function* (path: string): Generator<Buffer> {
    const handle = openSync(path, "r");
    const buffer = Buffer.alloc(BLOCK_BYTES);
    for (let read = readSync(handle, buffer); read > 0; read = readSync(handle, buffer)) yield buffer.subarray(0, read);
    closeSync(handle);
  };
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

/** Measures what the whole image costs, and the delta between two. Slow. */
export function wholeCosts(before: string, after: string): WholeCosts {
  shell(`gzip -6 -c ${after} > ${after}.gz`);
  shell(`zstd -q -f -19 -T2 ${after} -o ${after}.zst`);
  shell(`zstd -q -f -9 --long=31 -T2 --patch-from=${before} ${after} -o ${after}.patch`);
  return { gzip: sizeOf(`${after}.gz`), zstd: sizeOf(`${after}.zst`), patch: sizeOf(`${after}.patch`) };
}

/** Measures what the way from one image to another costs by parts of it. `compression` knows `before`. */
export async function compare(before: string, after: string, compression: Compression, tool: Tool): Promise<Costs> {
  const { index, bytes } = await indexOf(after, compression);
  const found = await chunksIn(before, index);
  const plan = planDownload(index, bytes, { has: (chunk) => found[chunk] === 1 });
  tool("xdelta3", ["-9", "-e", "-f", "-B", "1073741824", "-s", before, after, `${after}.xdelta`]);
  return {
    image: statSync(after).size,
    xdelta: sizeOf(`${after}.xdelta`),
    blocks: blocksCost(before, after),
    adaptive: plan.costBytes,
    requests: plan.ranges.length + 2,
    index: bytes,
  };
}

/**
 * What is fetched in all if the update is interrupted at shares of the image, and goes on with what was written: as
 * multiples of an update without an interruption.
 */
export async function interrupted(
  before: string,
  after: string,
  compression: Compression,
  shares: readonly number[],
): Promise<Readonly<Record<string, number>>> {
  const { index, bytes } = await indexOf(after, compression);
  const first = await chunksIn(before, index);
  const whole = planDownload(index, bytes, { has: (chunk) => first[chunk] === 1 });
  const ratios: Record<string, number> = {};
  for (const share of shares) {
    const until = Math.floor(statSync(after).size * share);
    const begun = planDownload(index, bytes, { has: (chunk, offset) => first[chunk] === 1 || offset > until });
    const written = await chunksIn(after, index, until);
    const rest = planDownload(index, bytes, { has: (chunk) => first[chunk] === 1 || written[chunk] === 1 });
    ratios[share] = (begun.costBytes + rest.costBytes) / whole.costBytes;
  }
  return ratios;
}
