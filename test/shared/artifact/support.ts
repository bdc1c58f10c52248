import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { ArtifactError, type ArtifactHeader, openArtifact, type ReadOptions } from "@upkeep/shared/artifact";
import type { ArtifactSink, SourceFile } from "@upkeep/shared/artifact/write";
import { pack } from "tar-stream";
import { expect } from "vitest";

/**
 * A source that hands out `content` in chunks of `chunkBytes`, as unfriendly as `readChunks` may be: a chunk is valid
 * until two more were requested. Then its buffer holds other bytes, and is used again.
 */
export async function* chunked(content: Uint8Array, chunkBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  const buffers = [0, 1, 2].map(() => Buffer.alloc(Math.min(chunkBytes, content.length)));
  for (let index = 0; index * chunkBytes < content.length; index += 1) {
    const chunk = content.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    buffers[(index + 1) % 3]?.fill(0xa5);
    const buffer = buffers[index % 3] ?? Buffer.alloc(0);
    buffer.set(chunk);
    yield buffer.subarray(0, chunk.length);
  }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  // A source may reuse its buffers.
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** A sink in memory. */
export class MemorySink implements ArtifactSink {
  #content = Buffer.alloc(0);

  async write(data: Uint8Array, position?: number): Promise<void> {
    if (position === undefined) this.#content = Buffer.concat([this.#content, data]);
    else this.#content.set(data, position);
  }

  get content(): Buffer {
    return this.#content;
  }
}

export function sourceFile(name: string, content: Uint8Array | string): SourceFile {
  const bytes = Buffer.from(content);
  return { name, sizeBytes: bytes.length, read: () => chunked(bytes) };
}

export interface ReadBack {
  readonly header: ArtifactHeader;
  /** By payload and name. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Read an artifact whole. */
export async function readBack(source: AsyncIterable<Uint8Array>, options: ReadOptions = {}): Promise<ReadBack> {
  const reading = await openArtifact(source, options);
  const files = new Map<string, Buffer>();
  for await (const payload of reading.payloads()) {
    for await (const file of payload.files()) {
      const content = await collect(file.content);
      expect(content.length).toBe(file.sizeBytes);
      files.set(`${payload.index}/${file.name}`, content);
    }
  }
  return { header: reading.header, files };
}

/** How reading ends: whether the header was refused, or what came behind it. */
export type Refusal = { readonly at: "header" | "payload"; readonly code: string; readonly message: string };

/** The refusal of an artifact that must be refused. */
export async function refusal(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  options: ReadOptions = {},
): Promise<Refusal> {
  const told = (error: unknown, at: Refusal["at"]): Refusal => {
    if (!(error instanceof ArtifactError)) throw error;
    return { at, code: error.code, message: error.message };
  };
  let reading: Awaited<ReturnType<typeof openArtifact>>;
  try {
    reading = await openArtifact(source instanceof Uint8Array ? chunked(source) : source, options);
  } catch (error) {
    return told(error, "header");
  }
  try {
    for await (const payload of reading.payloads()) {
      for await (const file of payload.files()) await collect(file.content);
    }
  } catch (error) {
    return told(error, "payload");
  }
  throw new Error("the artifact was not refused");
}

/** An entry of a tar to be made: a file if there is content, else what its header says. */
export type TarHeader = Parameters<ReturnType<typeof pack>["entry"]>[0];
export type Entry = readonly [name: string | TarHeader, content: Uint8Array | string];

/** A tar of entries as they are given, however odd. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const packed = pack();
  for (const [name, content] of entries) {
    packed.entry(
      typeof name === "string" ? { name, mtime: new Date(0) } : { mtime: new Date(0), ...name },
      Buffer.from(content),
    );
  }
  packed.finalize();
  return collect(Readable.from(packed));
}

export const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/** The parts of a small artifact, to be changed by a test before they are put together. */
export interface Parts {
  version: string;
  headerInfo: string;
  typeInfo: string;
  /** What stands in header.tar. */
  headerEntries: Entry[];
  headerName: string;
  /** header.tar as it is written. */
  header?: Uint8Array;
  /** The files of the payload. */
  files: Entry[];
  payloadName: string;
  payload?: Uint8Array;
  /** Lines of the manifest: name → checksum. */
  manifest: Map<string, string>;
  manifestText?: string;
  signature?: string;
  /** The artifact's entries. */
  entries?: Entry[];
}

const HEADER_INFO = JSON.stringify({
  payloads: [{ type: "single-file" }],
  artifact_provides: { artifact_name: "release-1" },
  artifact_depends: { device_type: ["board"] },
});

/**
 * Put an artifact together by hand.
 * @param change Called before each level is derived from the one below; what it sets is kept.
 */
export async function artifactOf(change: (parts: Parts) => void | Promise<void> = () => undefined): Promise<Buffer> {
  const parts: Parts = {
    version: '{"format":"mender","version":3}',
    headerInfo: HEADER_INFO,
    typeInfo: '{"type":"single-file"}',
    headerEntries: [],
    headerName: "header.tar.gz",
    files: [["hello.txt", "hello\n"]],
    payloadName: "data/0000.tar.gz",
    manifest: new Map(),
  };
  await change(parts);
  if (parts.headerEntries.length === 0) {
    parts.headerEntries = [
      ["header-info", parts.headerInfo],
      ["headers/0000/type-info", parts.typeInfo],
    ];
  }
  const headerTar = await tarOf(parts.headerEntries);
  parts.header ??= parts.headerName.endsWith(".gz") ? gzipSync(headerTar) : headerTar;
  const payloadTar = await tarOf(parts.files);
  parts.payload ??= parts.payloadName.endsWith(".gz") ? gzipSync(payloadTar) : payloadTar;
  const lines = new Map<string, string>([
    ...parts.files.map(([name, content]): [string, string] => [
      `data/0000/${typeof name === "string" ? name : name.name}`,
      sha256(content),
    ]),
    [parts.headerName, sha256(parts.header)],
    ["version", sha256(parts.version)],
    ...parts.manifest,
  ]);
  parts.manifestText ??= [...lines]
    .filter(([, checksum]) => checksum !== "")
    .map(([name, checksum]) => `${checksum}  ${name}\n`)
    .join("");
  const signed: Entry[] = parts.signature === undefined ? [] : [["manifest.sig", parts.signature]];
  parts.entries = [
    ["version", parts.version],
    ["manifest", parts.manifestText],
    ...signed,
    [parts.headerName, parts.header],
    [parts.payloadName, parts.payload],
  ];
  return tarOf(parts.entries);
}

/** The entries of a small artifact, to be reordered, doubled or left out. */
export async function entriesOf(change?: (parts: Parts) => void): Promise<Entry[]> {
  let made: Parts | undefined;
  await artifactOf((parts) => {
    change?.(parts);
    made = parts;
  });
  if (made?.entries === undefined) throw new Error("no entries were made");
  return made.entries;
}
