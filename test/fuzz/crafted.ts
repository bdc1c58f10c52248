import type { Chance } from "./chance.ts";

const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const BLOCK_BYTES_MAX = 128 * 1024;

function block(type: 0 | 1 | 2, size: number, content: Uint8Array, last = false): Buffer {
  const head = Buffer.alloc(3);
  head.writeUIntLE((size << 3) | (type << 1) | Number(last), 0, 3);
  return Buffer.concat([head, content]);
}

/** zstd streams (RFC 8878) that no encoder writes. */
const STREAMS: Readonly<Record<string, (chance: Chance) => Buffer>> = {
  "blocks of one repeated byte": (chance) => {
    const blocks = Array.from({ length: chance.between(1, 300) }, () => block(1, BLOCK_BYTES_MAX, Buffer.from([0])));
    return Buffer.concat([MAGIC, Buffer.from([0, 0x70]), ...blocks, block(0, 0, Buffer.alloc(0), true)]);
  },
  "a content size that lies": (chance) => {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(chance.of([0, 1, 2 ** 20, 2 ** 40])));
    return Buffer.concat([MAGIC, Buffer.from([0xc0, 0x70]), size, block(1, 1000, Buffer.from([0]), true)]);
  },
  "a window of its own choice": (chance) =>
    Buffer.concat([MAGIC, Buffer.from([0, chance.below(256)]), block(1, 1000, Buffer.from([0]), true)]),
  "endless empty blocks": (chance) =>
    Buffer.concat([
      ...[MAGIC, Buffer.from([0, 0x70])],
      Buffer.alloc(3 * chance.between(1, 100_000)),
      block(0, 0, Buffer.alloc(0), true),
    ]),
  "frames without content": (chance) => {
    const frame = Buffer.concat([MAGIC, Buffer.from([0, 0x70]), block(0, 0, Buffer.alloc(0), true)]);
    return Buffer.concat(Array.from({ length: chance.between(1, 3000) }, () => frame));
  },
  "frames to be skipped": (chance) => {
    const frame = Buffer.alloc(8);
    frame.writeUInt32LE(0x184d2a50 + chance.below(16));
    return Buffer.concat(Array.from({ length: chance.between(1, 20_000) }, () => frame));
  },
  "sequences out of nothing": (chance) => {
    // Literals of one repeated byte, then as many sequences as can be announced, from rubbish.
    const literals = Buffer.from([0x01 | 0x08, 0]);
    const sequences = Buffer.from([0xff, 0xff, 0xff, chance.of([0x00, 0x54, 0xa8, 0xfc])]);
    const content = Buffer.concat([literals, sequences, chance.bytes(chance.between(1, 40)), Buffer.from([1])]);
    return Buffer.concat([MAGIC, Buffer.from([0, 0x70]), block(2, content.length, content, true)]);
  },
};

/** A zstd stream that costs more than its bytes, if nothing bounds it. */
export function crafted(chance: Chance): { stream: Buffer; what: string } {
  const what = chance.of(Object.keys(STREAMS));
  return { stream: STREAMS[what]?.(chance) ?? Buffer.alloc(0), what };
}
