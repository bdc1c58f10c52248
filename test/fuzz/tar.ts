import type { Chance } from "./chance.ts";

const BLOCK = 512;

export interface TarFile {
  readonly name: string;
  readonly content: Uint8Array;
}

function field(block: Buffer, at: number, length: number, text: string): void {
  block.fill(0, at, at + length);
  block.write(text.slice(0, length), at, "latin1");
}

/** Put the right checksum into a header block, whatever else stands in it. */
export function sum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const total = block.subarray(0, BLOCK).reduce((all, byte) => all + byte, 0);
  field(block, 148, 8, `${total.toString(8).padStart(6, "0")}\0 `);
}

export function headerBlock(name: string, size: number, type = "0"): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name.slice(0, 100), 0, "utf8");
  field(block, 100, 8, "0000644\0");
  field(block, 108, 8, "0000000\0");
  field(block, 116, 8, "0000000\0");
  field(block, 124, 12, `${size.toString(8).padStart(11, "0")}\0`);
  field(block, 136, 12, "00000000000\0");
  block.write(type, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  sum(block);
  return block;
}

const padded = (content: Uint8Array): Buffer =>
  Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);

/** A tar of files; large ones are not copied twice. */
export function tarOf(files: readonly TarFile[]): Buffer {
  const pieces = files.flatMap(({ name, content }) => [headerBlock(name, content.length), padded(content)]);
  return Buffer.concat([...pieces, Buffer.alloc(2 * BLOCK)]);
}

/** Where the header blocks of a tar are. */
function headersOf(tar: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    found.push(at);
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8);
    if (!Number.isFinite(size)) break;
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

type Change = (chance: Chance, block: Buffer) => void;

const NAMES = [
  "../x",
  "/etc/x",
  "a/../b",
  "a//b",
  ".",
  "",
  "x\n",
  "\u202ex",
  "version",
  "data/0001.tar",
  "header-info",
];
const SIZES = [
  "77777777777\0",
  "00000000000\0",
  "           \0",
  "9999999999x\0",
  "-0000000001\0",
  "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
];

const FIELDS: Readonly<Record<string, Change>> = {
  name: (chance, block) => field(block, 0, 100, chance.of(NAMES)),
  size: (chance, block) => field(block, 124, 12, chance.of(SIZES)),
  "size by one": (chance, block) => {
    const size = Number.parseInt(block.toString("latin1", 124, 135), 8) || 0;
    const other = Math.max(0, size + chance.of([-512, -1, 1, 511, 512, 1 << 20]));
    field(block, 124, 12, `${other.toString(8).padStart(11, "0")}\0`);
  },
  type: (chance, block) =>
    block.write(chance.of(["1", "2", "3", "5", "6", "7", "g", "x", "L", "K", "S", "\0", "z"]), 156, "latin1"),
  time: (chance, block) =>
    field(block, 136, 12, chance.of(["77777777777\0", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "x\0"])),
  magic: (chance, block) =>
    field(block, 257, 8, chance.of(["ustar  \0", "ustar\x0000", "\0\0\0\0\0\0\0\0", "ustar\x0001"])),
  prefix: (chance, block) => field(block, 345, 155, chance.of(["..", "x", "data", "\xff"])),
  byte: (chance, block) => {
    block[chance.below(BLOCK)] = chance.below(256);
  },
};

function extension(chance: Chance): Buffer {
  if (chance.happens(0.5)) {
    const name = Buffer.from(`${chance.of(NAMES)}${"x".repeat(chance.skewed(2000))}\0`);
    return Buffer.concat([headerBlock("././@LongLink", name.length, "L"), padded(name)]);
  }
  const [key, value] = chance.of([
    ["path", chance.of(NAMES)],
    ["size", chance.of(["0", "-1", "1e9", "99999999999999999999", "512"])],
    ["mtime", chance.of(["1.5", "x", "1e400", "-99999999999999"])],
    ["GNU.sparse.major", "1"],
    ["comment", "x".repeat(chance.skewed(70_000))],
  ]);
  const rest = ` ${key}=${value}\n`;
  const length = chance.happens(0.8) ? rest.length + String(rest.length + 3).length : chance.below(1000);
  const record = Buffer.from(`${length}${rest}`);
  return Buffer.concat([headerBlock("PaxHeader", record.length, "x"), padded(record)]);
}

/** A tar whose headers say something else, with right checksums mostly. */
export function changedTar(chance: Chance, tar: Buffer): { bytes: Buffer; how: string } {
  const headers = headersOf(tar);
  if (headers.length === 0) return { bytes: tar, how: "no tar" };
  const at = chance.of(headers);
  if (chance.happens(0.2)) {
    return { bytes: Buffer.concat([tar.subarray(0, at), extension(chance), tar.subarray(at)]), how: "an extension" };
  }
  if (chance.happens(0.15)) {
    const from = chance.of(headers);
    const to = headers.find((one) => one > from) ?? tar.length - 2 * BLOCK;
    return {
      bytes: Buffer.concat([tar.subarray(0, at), tar.subarray(from, to), tar.subarray(at)]),
      how: "an entry again",
    };
  }
  const how = chance.of(Object.keys(FIELDS));
  const changed = Buffer.from(tar);
  const block = changed.subarray(at, at + BLOCK);
  (FIELDS[how] as Change)(chance, block);
  if (chance.happens(0.9)) sum(block);
  return { bytes: changed, how };
}
