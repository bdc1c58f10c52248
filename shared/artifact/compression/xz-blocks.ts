import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { ByteReader } from "../bytes.ts";
import { ArtifactError } from "../errors.ts";
import { cutOff, damaged } from "./decoder.ts";

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const FOOTER_MAGIC = Buffer.from("YZ");
/** Stream header and stream footer have this many bytes each. */
const EDGE_BYTES = 12;
/** Identifiers of checks. */
const NO_CHECK = 0;
const SHA256 = 0x0a;
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const LZMA2 = 0x21;
const FILTERS: Readonly<Record<number, string>> = {
  3: "delta",
  4: "BCJ for x86",
  5: "BCJ for PowerPC",
  6: "BCJ for IA-64",
  7: "BCJ for ARM",
  8: "BCJ for ARM Thumb",
  9: "BCJ for SPARC",
  10: "BCJ for ARM64",
  11: "BCJ for RISC-V",
};

/** One block: what was decoded of it, and what the stream says of it, which is known once the block was read. */
interface Block {
  /** Absent if the decoder verifies the block. */
  readonly hash: Hash | undefined;
  hashedBytes: number;
  totalBytes?: number;
  sha256?: Buffer;
}

/** Compares the SHA-256 checks of blocks with the decoded bytes. */
export class BlockChecks {
  readonly #where: string;
  readonly #blocks: Block[] = [];

  constructor(where: string) {
    this.#where = where;
  }

  /** A block begins. */
  begin(isHashed: boolean): Block {
    const block: Block = { hash: isHashed ? createHash("sha256") : undefined, hashedBytes: 0 };
    this.#blocks.push(block);
    return block;
  }

  /** Takes decoded bytes; a block's end is known before the first byte of the next block comes. */
  decoded(bytes: Uint8Array): void {
    for (let rest = bytes; ; ) {
      const [block] = this.#blocks;
      if (block === undefined) return;
      const ended = block.totalBytes !== undefined && block.hashedBytes + rest.length >= block.totalBytes;
      const own = ended ? rest.subarray(0, (block.totalBytes ?? 0) - block.hashedBytes) : rest;
      block.hash?.update(own);
      block.hashedBytes += own.length;
      if (!ended) return;
      if (block.sha256 !== undefined && block.hash?.digest().equals(block.sha256) === false) {
        throw damaged(this.#where, "the SHA-256 of a block does not match");
      }
      this.#blocks.shift();
      rest = rest.subarray(own.length);
    }
  }
}

/** The rest is left to the decoder, which names the fault. */
class LeftToDecoder extends Error {
  readonly pieces: readonly Uint8Array[];

  constructor(...pieces: readonly Uint8Array[]) {
    super("not parsed");
    this.pieces = pieces;
  }
}

/**
 * Follows the structure of xz (file format 1.2) without decoding it: filters that the decoder lacks are named, and of
 * streams with SHA-256, which the decoder lacks as well, the checks are taken out and compared here. Everything else
 * passes as it is, faults included.
 */
export async function* xzPieces(
  source: AsyncIterable<Uint8Array>,
  where: string,
  checks: BlockChecks,
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  try {
    while (true) {
      const start = await reader.upTo(4);
      if (start.length === 0) return;
      // Zeros may stand between streams.
      if (start.length === 4 && start.every((byte) => byte === 0)) yield start;
      else yield* stream(reader, start, where, checks);
    }
  } catch (error) {
    if (!(error instanceof LeftToDecoder)) throw error;
    yield* error.pieces;
    for (let piece = await reader.some(EVERYTHING); piece !== undefined; piece = await reader.some(EVERYTHING)) {
      yield piece;
    }
  } finally {
    await reader.close();
  }
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;

async function take(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.upTo(count);
  if (bytes.length < count) throw new LeftToDecoder(bytes);
  return bytes;
}

/** As {@link take}, for what is taken out: a part of it would be something else to the decoder. */
async function takeOut(reader: ByteReader, count: number, where: string): Promise<Buffer> {
  const bytes = await reader.upTo(count);
  if (bytes.length < count) throw cutOff(where);
  return Buffer.from(bytes);
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

async function* stream(
  reader: ByteReader,
  start: Uint8Array,
  where: string,
  checks: BlockChecks,
): AsyncGenerator<Uint8Array> {
  const header = Buffer.concat([start, await reader.upTo(EDGE_BYTES - start.length)]);
  const [, check = 0] = header.subarray(MAGIC.length);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC) || !flagsFit(header.subarray(6))) throw new LeftToDecoder(header);
  const isHashed = check === SHA256;
  yield isHashed ? Buffer.concat([MAGIC, flags(NO_CHECK)]) : header;
  const checkBytes = CHECK_BYTES[check] ?? 0;
  for (;;) {
    const first = await take(reader, 1);
    if (first[0] === 0) break;
    const blockHeader = Buffer.concat([first, await reader.upTo((first[0] ?? 0) * 4 + 3)]);
    checkFilters(blockHeader, where);
    yield blockHeader;
    const block = checks.begin(isHashed);
    const dataStart = reader.position;
    const totalBytes = yield* lzma2Chunks(reader, where);
    yield await take(reader, (4 - ((reader.position - dataStart) % 4)) % 4);
    if (isHashed) block.sha256 = await takeOut(reader, checkBytes, where);
    else yield await take(reader, checkBytes);
    block.totalBytes = totalBytes;
  }
  if (isHashed) yield await indexWithoutChecks(reader, where);
  else yield* plainIndex(reader);
}

/** Stream flags with their CRC32, as a header has them. */
function flags(check: number): Buffer {
  const bytes = Buffer.from([0, check]);
  return Buffer.concat([bytes, littleEndian(crc32(bytes))]);
}

function flagsFit(bytes: Buffer): boolean {
  return bytes.length === 6 && bytes[0] === 0 && bytes.equals(flags(bytes[1] ?? 0));
}

/** @throws ArtifactError naming a filter other than LZMA2. */
function checkFilters(header: Buffer, where: string): void {
  const end = header.length - 4;
  if (header.length < 8 || header.readUInt32LE(end) !== crc32(header.subarray(0, end))) throw new LeftToDecoder(header);
  const bits = header[1] ?? 0;
  const numbers = new Numbers(header.subarray(2, end));
  if ((bits & 0x40) !== 0) numbers.next();
  if ((bits & 0x80) !== 0) numbers.next();
  for (let count = (bits & 3) + 1; count > 0; count -= 1) {
    const id = numbers.next();
    const propertyBytes = numbers.next();
    if (id === undefined || propertyBytes === undefined) throw new LeftToDecoder(header);
    numbers.skip(propertyBytes);
    if (id === LZMA2) continue;
    const filter = FILTERS[id] ?? `of the number ${id}`;
    const message = `${where}: xz uses a filter (${filter}); LZMA2 alone is supported`;
    throw new ArtifactError("compression-unsupported", message);
  }
}

/** The variable-length numbers of xz. */
class Numbers {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
  }

  /** `undefined` where there is none. */
  next(): number | undefined {
    let value = 0;
    for (const [index, byte] of this.#rest.entries()) {
      value += (byte & 0x7f) * 2 ** (7 * index);
      if ((byte & 0x80) !== 0) continue;
      this.skip(index + 1);
      return Number.isSafeInteger(value) && (byte !== 0 || index === 0) ? value : undefined;
    }
    return undefined;
  }
}

function encoded(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/**
 * Passes the chunks of a block.
 * @returns Decoded bytes that they say they have.
 * @throws ArtifactError if compressed data does not start with the 0 of its range coder, which the decoder ignores and
 *   `xz` refuses.
 */
async function* lzma2Chunks(reader: ByteReader, where: string): AsyncGenerator<Uint8Array, number> {
  let totalBytes = 0;
  for (;;) {
    const first = await take(reader, 1);
    const [control = 0] = first;
    if (control === 0) {
      yield first;
      return totalBytes;
    }
    const isCompressed = control >= 0x80;
    if (!isCompressed && control > 2) throw new LeftToDecoder(first);
    // Sizes less one, and the properties if they are new.
    const rest = await reader.upTo(isCompressed ? (control >= 0xc0 ? 5 : 4) : 2);
    const sizes = Buffer.concat([first, rest]);
    if (sizes.length < (isCompressed ? 5 : 3)) throw new LeftToDecoder(sizes);
    yield sizes;
    const decodedBytes = (isCompressed ? (control & 0x1f) * 0x1_0000 : 0) + sizes.readUInt16BE(1) + 1;
    totalBytes += decodedBytes;
    let left = decodedBytes;
    if (isCompressed) {
      left = sizes.readUInt16BE(3);
      const coderStart = await take(reader, 1);
      if (coderStart[0] !== 0) throw damaged(where, "a chunk of xz does not start with 0");
      yield coderStart;
    }
    while (left > 0) {
      const piece = await reader.some(left);
      if (piece === undefined) throw new LeftToDecoder();
      left -= piece.length;
      yield piece;
    }
  }
}

const NUMBER_BYTES_MAX = 9;

/** Reads one number of an index. @param fault Makes the error for one that is cut off or too long. */
async function indexNumber(reader: ByteReader, fault: (number: Buffer) => Error): Promise<Buffer> {
  const bytes: number[] = [];
  for (;;) {
    const [byte] = await reader.upTo(1);
    if (byte === undefined) throw fault(Buffer.from(bytes));
    bytes.push(byte);
    if (bytes.length > NUMBER_BYTES_MAX) throw fault(Buffer.from(bytes));
    if ((byte & 0x80) === 0) return Buffer.from(bytes);
  }
}

/** Passes an index, whose first byte was read, and the footer. */
async function* plainIndex(reader: ByteReader): AsyncGenerator<Uint8Array> {
  const indexStart = reader.position - 1;
  yield Buffer.from([0]);
  const number = () => indexNumber(reader, (bytes) => new LeftToDecoder(bytes));
  const count = await number();
  yield count;
  for (let left = 2 * (new Numbers(count).next() ?? 0); left > 0; left -= 1) yield await number();
  const padding = (4 - ((reader.position - indexStart) % 4)) % 4;
  yield await take(reader, padding + 4 + EDGE_BYTES);
}

/**
 * Reads an index, whose first byte was read, and the footer.
 * @returns Both as a stream without checks has them; the decoder compares them with the blocks.
 * @throws ArtifactError if a CRC32 or a size does not match, or the stream is cut off.
 */
async function indexWithoutChecks(reader: ByteReader, where: string): Promise<Buffer> {
  const wrong = (what: string): ArtifactError => damaged(where, `the ${what} of an xz stream does not match`);
  const number = () =>
    indexNumber(reader, ({ length }) => (length > NUMBER_BYTES_MAX ? wrong("index") : cutOff(where)));
  const countBytes = await number();
  const count = new Numbers(countBytes).next() ?? 0;
  if (count > INDEX_RECORDS_MAX) {
    throw new ArtifactError("too-large", `${where}: an xz stream with SHA-256 has ${count} blocks`);
  }
  const before: Buffer[] = [Buffer.from([0]), countBytes];
  const after: Buffer[] = [...before];
  for (let left = count; left > 0; left -= 1) {
    const [unpadded, decodedBytes] = [await number(), await number()];
    const size = new Numbers(unpadded).next() ?? 0;
    if (size <= 32) throw wrong("index");
    before.push(unpadded, decodedBytes);
    after.push(Buffer.from(encoded(size - 32)), decodedBytes);
  }
  const filled = (parts: readonly Buffer[]): Buffer => {
    const bytes = Buffer.concat(parts);
    const whole = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
    return Buffer.concat([whole, littleEndian(crc32(whole))]);
  };
  const footer = (index: Buffer, check: number): Buffer => {
    const body = Buffer.concat([littleEndian(index.length / 4 - 1), Buffer.from([0, check])]);
    return Buffer.concat([littleEndian(crc32(body)), body, FOOTER_MAGIC]);
  };
  const [index, plain] = [filled(before), filled(after)];
  const read = Buffer.concat(before).length;
  const rest = await takeOut(reader, index.length - read + EDGE_BYTES, where);
  if (!rest.subarray(0, -EDGE_BYTES).equals(index.subarray(read))) throw wrong("index");
  if (!rest.subarray(-EDGE_BYTES).equals(footer(index, SHA256))) throw wrong("footer");
  return Buffer.concat([plain, footer(plain, NO_CHECK)]);
}

/** The index of a stream with SHA-256 is held in memory; `xz` makes one block of 3 MiB at least per core. */
const INDEX_RECORDS_MAX = 100_000;
