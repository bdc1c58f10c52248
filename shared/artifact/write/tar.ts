import { pipeline } from "node:stream/promises";
import { type Header, type Pack, pack } from "tar-stream";
import { copied } from "../bytes.ts";
import { BLOCK_BYTES } from "../tar/header.ts";

/** A file to be put in a tar. `content` has `sizeBytes` bytes. */
export interface TarFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A file whose content is in memory. */
export interface SmallFile extends TarFile {
  readonly content: readonly [Uint8Array];
}

export function tarFile(name: string, content: Uint8Array, mode = 0o600): SmallFile {
  return { name, sizeBytes: content.length, mode, content: [content] };
}

/** A whole tar: the files and the end mark. */
export function tarOf(files: Iterable<TarFile>): AsyncGenerator<Uint8Array> {
  return packed(files, (tar) => tar.finalize());
}

/** The files without an end mark: more entries follow. */
export function tarEntries(files: Iterable<TarFile>): AsyncGenerator<Uint8Array> {
  return packed(files, (tar) => tar.push(null));
}

/** The header of a file, for contents that do not pass through a pack. `name` has at most 100 bytes. */
export async function headerBlock(file: Omit<TarFile, "content">): Promise<Uint8Array> {
  const tar = pack();
  tar.entry(headersOf(file));
  for await (const block of blocksOf(tar)) return block;
  throw new Error("tar-stream wrote no header");
}

/** What follows the last content of a tar: zeros up to the next block, then the end mark of two empty blocks. */
export function tarEnd(lastSizeBytes: number): Uint8Array {
  const rest = (BLOCK_BYTES - (lastSizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
  return new Uint8Array(rest + 2 * BLOCK_BYTES);
}

/** Owner, time and type are fixed, so that the same files give the same bytes. */
function headersOf({ name, sizeBytes, mode }: Omit<TarFile, "content">): Pick<Header, "name"> & Partial<Header> {
  return { name, size: sizeBytes, mode, uid: 0, gid: 0, type: "file", mtime: new Date(0) };
}

async function* packed(files: Iterable<TarFile>, finish: (tar: Pack) => void): AsyncGenerator<Uint8Array> {
  const tar = pack();
  const filling = fill(tar, files).then(
    () => finish(tar),
    (error: Error) => tar.destroy(error),
  );
  try {
    yield* blocksOf(tar);
  } finally {
    tar.destroy();
    await filling;
  }
}

async function fill(tar: Pack, files: Iterable<TarFile>): Promise<void> {
  // The pack keeps more chunks than a source that reuses its buffers allows.
  for (const file of files) await pipeline(copied(file.content), tar.entry(headersOf(file)));
}

/** The types of streamx do not say what a stream carries. */
function blocksOf(tar: Pack): AsyncIterable<Uint8Array> {
  return tar as AsyncIterable<Uint8Array>;
}
