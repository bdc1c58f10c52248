import { BLOCK_BYTES, checksumOf, FIELDS } from "../tar/header.ts";

/** Two empty blocks. */
export const TAR_END = new Uint8Array(2 * BLOCK_BYTES);

/** The largest size that fits a ustar header: 8 GiB less one byte. */
const OCTAL_SIZE_MAX = 0o77777777777;

function put(block: Buffer, [offset]: readonly [number, number], text: string): void {
  block.write(text, offset, "utf8");
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/**
 * One header block for a regular file. Everything that could differ from one run to the next is fixed: the
 * owner is root, the time is the epoch.
 */
export function encodeHeader(name: string, sizeBytes: number, mode: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name}: longer than 100 bytes`);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new RangeError(`${name}: its size is ${sizeBytes}`);
  const block = Buffer.alloc(BLOCK_BYTES);
  put(block, FIELDS.name, name);
  put(block, FIELDS.mode, octal(mode, 7));
  put(block, FIELDS.uid, octal(0, 7));
  put(block, FIELDS.gid, octal(0, 7));
  put(block, FIELDS.mtime, octal(0, 11));
  put(block, FIELDS.type, "0");
  if (sizeBytes <= OCTAL_SIZE_MAX) {
    put(block, FIELDS.size, octal(sizeBytes, 11));
    put(block, FIELDS.magic, "ustar\u000000");
  } else {
    // As GNU tar writes it: the first bit set, then the number itself.
    const [start, length] = FIELDS.size;
    block.writeUInt8(0x80, start);
    block.writeBigUInt64BE(BigInt(sizeBytes), start + length - 8);
    put(block, FIELDS.magic, "ustar  ");
  }
  put(block, FIELDS.checksum, `${octal(checksumOf(block), 6)}\0 `);
  return block;
}

/** What fills the last block of a content. */
export function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** A file of known content: header, content, padding. */
export function* tarFile(name: string, content: Uint8Array, mode = 0o600): Generator<Uint8Array> {
  yield encodeHeader(name, content.length, mode);
  if (content.length > 0) yield content;
  const rest = padding(content.length);
  if (rest.length > 0) yield rest;
}
