import type { Chance } from "./chance.ts";

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff];

type Change = (chance: Chance, bytes: Buffer, other: () => Buffer) => Buffer;

function replaced(bytes: Buffer, from: number, to: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(to)]);
}

const CHANGES: Readonly<Record<string, Change>> = {
  "bits flipped": (chance, bytes) => {
    const changed = Buffer.from(bytes);
    for (let left = 1 + chance.skewed(8); left > 0; left--) {
      const at = chance.below(changed.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << chance.below(8));
    }
    return changed;
  },
  "bytes set": (chance, bytes) => {
    const changed = Buffer.from(bytes);
    for (let left = 1 + chance.skewed(8); left > 0; left--) {
      changed[chance.below(changed.length)] = chance.happens(0.5) ? chance.of(EXTREMES) : chance.below(256);
    }
    return changed;
  },
  "bytes put in": (chance, bytes) => {
    const at = chance.below(bytes.length + 1);
    return replaced(bytes, at, at, chance.bytes(1 + chance.skewed(600)));
  },
  "bytes left out": (chance, bytes) => {
    const at = chance.below(bytes.length);
    return replaced(bytes, at, at + 1 + chance.skewed(2000), Buffer.alloc(0));
  },
  "cut off": (chance, bytes) => bytes.subarray(0, chance.below(bytes.length)),
  "a piece twice": (chance, bytes) => {
    const from = chance.below(bytes.length);
    const piece = bytes.subarray(from, from + 1 + chance.skewed(4096));
    return replaced(bytes, from, from, piece);
  },
  "a piece moved": (chance, bytes) => {
    const from = chance.below(bytes.length);
    const piece = Buffer.from(bytes.subarray(from, from + 1 + chance.skewed(4096)));
    const at = chance.below(bytes.length);
    return replaced(bytes, at, at + piece.length, piece);
  },
  spliced: (chance, bytes, other) => {
    const tail = other();
    return Buffer.concat([bytes.subarray(0, chance.below(bytes.length)), tail.subarray(chance.below(tail.length))]);
  },
  "another behind it": (_chance, bytes, other) => Buffer.concat([bytes, other()]),
  "rubbish behind it": (chance, bytes) => Buffer.concat([bytes, chance.bytes(1 + chance.skewed(600))]),
  "zeros behind it": (chance, bytes) => Buffer.concat([bytes, Buffer.alloc(1 + chance.skewed(4096))]),
};

/** Bytes that were changed somehow, and how. @param other Another stream of the same kind. */
export function changedBytes(chance: Chance, bytes: Buffer, other: () => Buffer): { bytes: Buffer; how: string } {
  if (bytes.length === 0) return { bytes: chance.bytes(1 + chance.below(64)), how: "something from nothing" };
  const how = chance.of(Object.keys(CHANGES));
  return { bytes: (CHANGES[how] as Change)(chance, bytes, other), how };
}
