import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import {
  type ChunkIndex,
  ChunkLookup,
  Cutter,
  chunkHash,
  chunkSizes,
  decodeChunkIndex,
  planDownload,
  REQUEST_BYTES,
} from "@upkeep/shared/artifact/adaptive";
import { indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import type { Tool } from "./images.ts";
import type { Published } from "./publisher.ts";
import { PAYLOAD_TYPE } from "./trip.ts";

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
  /** casync with its own sizes of chunks: each chunk that is not there is a file to fetch. */
  readonly casync: number;
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

const ROOT = join(import.meta.dirname, "../../..");

/** Names the code that makes an index: what older code has made is not measured. */
const CODE = (() => {
  const hash = createHash("sha256");
  for (const folder of ["shared/artifact/adaptive", "mock-server/releases/adaptive"]) {
    for (const name of readdirSync(join(ROOT, folder)).sort()) hash.update(readFileSync(join(ROOT, folder, name)));
  }
  return hash.digest("hex").slice(0, 12);
})();

/** An artifact that brings the image, with its index, and its chunks if they are to be served; made once by this code. */
async function publish(
  image: string,
  compression: Compression,
  artifactCompression: "none" | "gzip",
): Promise<Published> {
  const made = `${image}.${CODE}`;
  const published = { artifact: `${made}.mender`, index: `${made}.index`, chunks: `${made}.chunks` };
  if (existsSync(published.index)) return published;
  await inFile(published.artifact, async (write) => {
    await writeArtifact(
      {
        kind: "module-image",
        type: PAYLOAD_TYPE,
        artifactName: "release",
        deviceTypes: ["bench"],
        compression: artifactCompression,
        files: [{ name: "image", sizeBytes: statSync(image).size, read: () => createReadStream(image) }],
      },
      { write: async (data, at) => write(data, at) },
    );
  });
  let index: Uint8Array | undefined;
  await inFile(published.chunks, async (write) => {
    index = await indexArtifact(createReadStream(published.artifact, { highWaterMark: 1 << 20 }), AVERAGE_BYTES, {
      compress: compression.compress,
      write: async (stored) => write(stored),
    });
  });
  if (index === undefined) throw new Error(`${image}: no index`);
  writeFileSync(published.index, index);
  return published;
}

/** @param fill Is given what writes at a place, or behind all that was written so. */
async function inFile(
  path: string,
  fill: (write: (data: Uint8Array, at?: number) => void) => Promise<void>,
): Promise<void> {
  const handle = openSync(path, "w+");
  let position = 0;
  try {
    await fill((data, at) => {
      writeSync(handle, data, 0, data.length, at ?? position);
      if (at === undefined) position += data.length;
    });
  } finally {
    closeSync(handle);
  }
}

/** Which chunks of the index a seed has, up to a place in it. */
async function chunksIn(seed: string, index: ChunkIndex): Promise<Uint8Array> {
  const lookup = new ChunkLookup(index.chunks);
  const found = new Uint8Array(index.chunks.count);
  const cutter = new Cutter(chunkSizes(index.averageBytes));
  const take = (cuts: ReturnType<Cutter["push"]>): void => {
    for (const cut of cuts) {
      const chunk = "content" in cut ? lookup.find(chunkHash(cut.content)) : -1;
      if (chunk >= 0) found[chunk] = 1;
    }
  };
  for await (const piece of createReadStream(seed, { highWaterMark: 1 << 20 })) take(cutter.push(piece));
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

/** The new image's index and the chunks of it that are not in the old image's store, a request each. */
function casyncCost(before: string, after: string, tool: Tool): number {
  const folder = mkdtempSync(`${after}.casync-`);
  try {
    const [old, now] = [before, after].map((image, number) => {
      const [store, index] = [join(folder, `store-${number}`), join(folder, `index-${number}.caibx`)];
      tool("casync", ["make", `--store=${store}`, index, image]);
      const chunks = readdirSync(store, { recursive: true, encoding: "utf8" }).filter((name) =>
        name.endsWith(".cacnk"),
      );
      return { store, indexBytes: statSync(index).size, chunks };
    });
    if (old === undefined || now === undefined) throw new TypeError("two images are compared");
    const known = new Set(old.chunks);
    const missing = now.chunks.filter((name) => !known.has(name)).map((name) => statSync(join(now.store, name)).size);
    return missing.reduce((sum, bytes) => sum + bytes + REQUEST_BYTES, now.indexBytes + REQUEST_BYTES);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sizeOf(path: string): number {
  const { size } = statSync(path);
  rmSync(path);
  return size;
}

const shell = (command: string): void =>
  void execFileSync("sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe"] });

/** Sizes that do not change, of files that take minutes: kept beside the images. */
export class KnownSizes {
  readonly #path: string;
  readonly #sizes: Record<string, number>;

  constructor(folder: string) {
    this.#path = join(folder, "sizes.json");
    this.#sizes = existsSync(this.#path) ? JSON.parse(readFileSync(this.#path, "utf8")) : {};
  }

  /** @param measure Makes what the size is wanted of, and removes it. */
  of(name: string, measure: () => number): number {
    const known = this.#sizes[name];
    if (known !== undefined) return known;
    const size = measure();
    this.#sizes[name] = size;
    writeFileSync(this.#path, JSON.stringify(this.#sizes));
    return size;
  }
}

/** What the whole image costs, and the delta between two by zstd. Slow. */
export function wholeCosts(before: string, after: string, sizes: KnownSizes): WholeCosts {
  const made = (ending: string, command: string) => (): number => {
    shell(command);
    return sizeOf(`${after}.${ending}`);
  };
  const name = basename(after);
  return {
    gzip: sizes.of(`${name} gzip`, made("gz", `gzip -6 -c ${after} > ${after}.gz`)),
    zstd: sizes.of(`${name} zstd`, made("zst", `zstd -q -f -19 -T2 ${after} -o ${after}.zst`)),
    patch: sizes.of(
      `${name} patch`,
      made("patch", `zstd -q -f -9 --long=31 -T2 --patch-from=${before} ${after} -o ${after}.patch`),
    ),
  };
}

/**
 * Measures what the way from one image to another costs by parts of it. `compression` knows `before`.
 * @returns The artifact too, as it can be served.
 */
export async function compare(
  before: string,
  after: string,
  compression: Compression,
  { tool, sizes, served }: { readonly tool: Tool; readonly sizes: KnownSizes; readonly served: boolean },
): Promise<Costs & { readonly published: Published }> {
  const published = await publish(after, compression, served ? "gzip" : "none");
  const bytes = readFileSync(published.index);
  const index = decodeChunkIndex(bytes);
  const found = await chunksIn(before, index);
  const plan = planDownload(index, bytes.length, { has: (chunk) => found[chunk] === 1 });
  const xdelta = sizes.of(`${basename(after)} xdelta`, () => {
    tool("xdelta3", ["-9", "-e", "-f", "-B", "1073741824", "-s", before, after, `${after}.xdelta`]);
    return sizeOf(`${after}.xdelta`);
  });
  const casync = sizes.of(`${basename(after)} casync`, () => casyncCost(before, after, tool));
  if (!served) for (const path of [published.artifact, published.chunks]) rmSync(path, { force: true });
  return {
    image: statSync(after).size,
    xdelta,
    blocks: blocksCost(before, after),
    casync,
    adaptive: plan.costBytes,
    requests: plan.ranges.length + 2,
    index: bytes.length,
    published,
  };
}
