/** Writes small stores as the reference client's database does: 64-bit and 32-bit machines differ in their words. */

const PAGE_BYTES = 4096;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

export interface StorePlan {
  readonly wordBytes: 4 | 8;
  /** The values of each leaf; several leaves are put below a branch. */
  readonly leaves: readonly Readonly<Record<string, string>>[];
  /** Written as the older of the two descriptions, with an empty table. */
  readonly staleSecond?: boolean;
}

export function menderStoreFile({ wordBytes, leaves, staleSecond = false }: StorePlan): Buffer {
  const header = wordBytes === 8 ? 16 : 12;
  const pages: Buffer[] = [];
  const page = (flags: number): [number, Buffer] => {
    const buffer = Buffer.alloc(PAGE_BYTES);
    const number = pages.push(buffer) - 1;
    buffer.writeUInt32LE(number, 0);
    buffer.writeUInt16LE(flags, wordBytes + 2);
    return [number, buffer];
  };
  const word = (buffer: Buffer, value: bigint, at: number): void => {
    if (wordBytes === 8) buffer.writeBigUInt64LE(value, at);
    else buffer.writeUInt32LE(Number(value & 0xffff_ffffn), at);
  };
  const nodes = (
    buffer: Buffer,
    entries: readonly { flags: number; low: number; key: string; data: Buffer }[],
  ): void => {
    let end = PAGE_BYTES;
    entries.forEach(({ flags, low, key, data }, index) => {
      const bytes = 8 + Buffer.byteLength(key) + data.length;
      end -= bytes + (bytes % 2);
      buffer.writeUInt16LE(low & 0xffff, end);
      buffer.writeUInt16LE(low >>> 16, end + 2);
      buffer.writeUInt16LE(flags, end + 4);
      buffer.writeUInt16LE(Buffer.byteLength(key), end + 6);
      buffer.write(key, end + 8);
      data.copy(buffer, end + 8 + Buffer.byteLength(key));
      buffer.writeUInt16LE(end, header + 2 * index);
    });
    buffer.writeUInt16LE(header + 2 * entries.length, wordBytes + 4);
    buffer.writeUInt16LE(end, wordBytes + 6);
  };
  const big = (value: Buffer): Buffer => {
    const first = pages.length;
    const bytes = Buffer.alloc(Math.ceil((header + value.length) / PAGE_BYTES) * PAGE_BYTES);
    bytes.writeUInt32LE(first, 0);
    bytes.writeUInt16LE(0x04, wordBytes + 2);
    value.copy(bytes, header);
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) pages.push(bytes.subarray(at, at + PAGE_BYTES));
    const reference = Buffer.alloc(wordBytes);
    word(reference, BigInt(first), 0);
    return reference;
  };

  const metas = [page(0x08)[1], page(0x08)[1]];
  const written = leaves.map((values) => {
    const [number, buffer] = page(0x02);
    nodes(
      buffer,
      Object.entries(values).map(([key, text]) => {
        const value = Buffer.from(text);
        const isBig = value.length > 1000;
        return { flags: isBig ? 0x01 : 0, low: value.length, key, data: isBig ? big(value) : value };
      }),
    );
    return { number, key: Object.keys(values)[0] ?? "" };
  });
  let root = written.length === 0 ? NO_PAGE : BigInt(written[0]?.number ?? 0);
  if (written.length > 1) {
    const [number, buffer] = page(0x01);
    nodes(
      buffer,
      written.map(({ number, key }, index) => ({
        flags: 0,
        low: number,
        key: index === 0 ? "" : key,
        data: Buffer.alloc(0),
      })),
    );
    root = BigInt(number);
  }
  metas.forEach((buffer, index) => {
    const stale = staleSecond && index === 1;
    buffer.writeUInt32LE(0xbeefc0de, header);
    buffer.writeUInt32LE(1, header + 4);
    const tables = header + 8 + 2 * wordBytes;
    const tableBytes = 8 + 5 * wordBytes;
    buffer.writeUInt32LE(PAGE_BYTES, tables);
    word(buffer, NO_PAGE, tables + 8 + 4 * wordBytes);
    const entries = leaves.reduce((sum, values) => sum + Object.keys(values).length, 0);
    word(buffer, stale ? 0n : BigInt(entries), tables + tableBytes + 8 + 3 * wordBytes);
    word(buffer, stale ? NO_PAGE : root, tables + tableBytes + 8 + 4 * wordBytes);
    word(buffer, BigInt(pages.length - 1), tables + 2 * tableBytes);
    word(buffer, stale ? 1n : BigInt(2 + index), tables + 2 * tableBytes + wordBytes);
  });
  return Buffer.concat(pages);
}
