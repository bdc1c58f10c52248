import { ArtifactError } from "../errors.ts";

/** Tar's unit: a header is one block, a content is padded to whole blocks. */
export const BLOCK_BYTES = 512;

/** Offset and length of the fields of a ustar header that are read here (POSIX.1-1988; the same in GNU headers). */
export const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

/** One header block, decoded. */
export interface TarHeader {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  /** Seconds since the Unix epoch. */
  readonly modifiedSeconds: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function field(block: Uint8Array, [offset, length]: readonly [number, number]): Uint8Array {
  return block.subarray(offset, offset + length);
}

/** UTF-8 text. */
export function decodeText(bytes: Uint8Array, what: string, where: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ArtifactError("name-unsafe", `${where}: the ${what} is not UTF-8`, { cause });
  }
}

function text(bytes: Uint8Array, what: string, where: string): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end), what, where);
}

/** Octal digits, or (first bit set) a big-endian number in two's complement, as GNU tar writes large ones. */
function number(bytes: Uint8Array, what: string, where: string): number {
  const first = bytes[0] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x7f) - (first & 0x40 ? 0x80n : 0n);
    for (const byte of bytes.subarray(1)) value = value * 256n + BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw new ArtifactError("size-absurd", `${where}: the ${what} ${value} in a tar header is beyond all bounds`);
    }
    return Number(value);
  }
  const digits = Buffer.from(bytes).toString("latin1");
  const match = /^ *([0-7]*)[\0 ]*$/.exec(digits);
  if (match === null) {
    throw new ArtifactError("tar-malformed", `${where}: the ${what} ${JSON.stringify(digits)} is not an octal number`);
  }
  return match[1] === "" || match[1] === undefined ? 0 : Number.parseInt(match[1], 8);
}

/** The sum of a header block's bytes, with spaces in place of the checksum field. */
export function checksumOf(block: Uint8Array): number {
  const [start, length] = FIELDS.checksum;
  let sum = 0;
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    sum += index >= start && index < start + length ? 0x20 : (block[index] ?? 0);
  }
  return sum;
}

/**
 * Decode a header block.
 * @param where What the block is part of, for messages.
 * @throws ArtifactError
 */
export function decodeHeader(block: Uint8Array, where: string): TarHeader {
  const magic = Buffer.from(field(block, FIELDS.magic)).toString("latin1");
  const posix = magic === "ustar\u000000";
  if (!posix && magic !== "ustar  \u0000") {
    throw new ArtifactError("tar-malformed", `${where}: this is no tar header (magic ${JSON.stringify(magic)})`);
  }
  const stated = number(field(block, FIELDS.checksum), "checksum", where);
  const actual = checksumOf(block);
  if (stated !== actual) {
    throw new ArtifactError("tar-checksum", `${where}: a tar header's checksum is ${actual}, but it states ${stated}`);
  }
  const prefix = posix ? text(field(block, FIELDS.prefix), "name", where) : "";
  const name = text(field(block, FIELDS.name), "name", where);
  const sizeBytes = number(field(block, FIELDS.size), "size", where);
  if (sizeBytes < 0) {
    throw new ArtifactError("size-absurd", `${where}: ${JSON.stringify(name)} has a negative size, ${sizeBytes}`);
  }
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[FIELDS.type[0]] ?? 0),
    sizeBytes,
    modifiedSeconds: number(field(block, FIELDS.mtime), "modification time", where),
  };
}
