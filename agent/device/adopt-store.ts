/**
 * Reads the store of the reference client: an LMDB file (data format 1) with one table of a few small values. Only
 * what that takes; nothing is locked, made or changed.
 */

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 1;
/** The table that holds the values; the other one holds free pages. */
const MAIN_TABLE = 1;
const LEAF = 0x02;
const BRANCH = 0x01;
/** The first page of a value that has pages of its own. */
const OVERFLOW = 0x04;
/** Of a node: the value is on pages of its own. */
const BIG_VALUE = 0x01;
/** Far deeper than any tree of a few values: a file with a loop in it must not be followed for ever. */
const DEPTH_MAX = 16;

/** The file is none of this kind, or damaged. */
export class StoreFault extends Error {
  override readonly name: string = "StoreFault";
}

/** The file has lost all that it had. No program can read it. */
export class EmptyStore extends StoreFault {
  override readonly name = "EmptyStore";
}

/** What depends on the machine that wrote the file: the size of its words. */
interface Layout {
  readonly wordBytes: 4 | 8;
  readonly headerBytes: 12 | 16;
}
const LAYOUTS: readonly Layout[] = [
  { wordBytes: 8, headerBytes: 16 },
  { wordBytes: 4, headerBytes: 12 },
];

interface Meta {
  readonly pageBytes: number;
  readonly root: number | undefined;
  /** Values in the table. */
  readonly entries: number;
  readonly transaction: number;
}

class Pages {
  readonly #file: Buffer;
  readonly #layout: Layout;
  readonly #pageBytes: number;
  readonly values = new Map<string, Buffer>();

  constructor(file: Buffer, layout: Layout, pageBytes: number) {
    this.#file = file;
    this.#layout = layout;
    this.#pageBytes = pageBytes;
  }

  read(page: number, depth = 0): void {
    if (depth > DEPTH_MAX) throw new StoreFault("its tree is deeper than can be");
    const file = this.#file;
    const start = page * this.#pageBytes;
    const { wordBytes, headerBytes } = this.#layout;
    const flags = this.#kindOf(page);
    if (flags !== LEAF && flags !== BRANCH) throw new StoreFault(`page ${page} is of the unknown kind ${flags}`);
    const count = (file.readUInt16LE(start + wordBytes + 4) - headerBytes) / 2;
    for (let index = 0; index < count; index++) {
      const node = start + file.readUInt16LE(start + headerBytes + 2 * index);
      const low = file.readUInt16LE(node) + file.readUInt16LE(node + 2) * 0x10000;
      const nodeFlags = file.readUInt16LE(node + 4);
      const keyBytes = file.readUInt16LE(node + 6);
      const data = node + 8 + keyBytes;
      if (flags === BRANCH) {
        this.read(wordBytes === 8 ? low + nodeFlags * 0x1_0000_0000 : low, depth + 1);
        continue;
      }
      const key = file.toString("utf8", node + 8, data);
      const at = nodeFlags & BIG_VALUE ? this.#overflowAt(wordAt(file, data, wordBytes), key) : data;
      if (at + low > file.length) throw new StoreFault(`the value of ${key} reaches over its end`);
      this.values.set(key, file.subarray(at, at + low));
    }
  }

  /** A page begins with its number, two bytes that are not used, and its kind. */
  #kindOf(page: number): number {
    const { wordBytes } = this.#layout;
    const start = page * this.#pageBytes;
    const number = wordAt(this.#file, start, wordBytes);
    if (number !== page) throw new StoreFault(`page ${page} says that it is page ${number}`);
    return this.#file.readUInt16LE(start + wordBytes + 2);
  }

  /** Where a value on pages of its own begins. */
  #overflowAt(page: number, key: string): number {
    if (this.#kindOf(page) !== OVERFLOW) throw new StoreFault(`page ${page} does not hold the value of ${key}`);
    return page * this.#pageBytes + this.#layout.headerBytes;
  }
}

function wordAt(file: Buffer, offset: number, bytes: 4 | 8): number {
  return bytes === 4 ? file.readUInt32LE(offset) : Number(file.readBigUInt64LE(offset));
}

/** One of the two descriptions of the whole, which are written in turn. */
function metaAt(file: Buffer, page: number, { wordBytes, headerBytes }: Layout): Meta | undefined {
  const start = page + headerBytes;
  if (file.readUInt32LE(start) !== MAGIC || file.readUInt32LE(start + 4) !== DATA_VERSION) return undefined;
  // Magic, version, an address and a size; then two tables: 8 bytes and 5 words each; the last page, a transaction.
  const tables = start + 8 + 2 * wordBytes;
  const tableBytes = 8 + 5 * wordBytes;
  const entries = tables + MAIN_TABLE * tableBytes + 8 + 3 * wordBytes;
  const root = entries + wordBytes;
  const none = file.subarray(root, root + wordBytes).every((byte) => byte === 0xff);
  return {
    pageBytes: file.readUInt32LE(tables),
    root: none ? undefined : wordAt(file, root, wordBytes),
    entries: wordAt(file, entries, wordBytes),
    transaction: wordAt(file, tables + 2 * tableBytes + wordBytes, wordBytes),
  };
}

function newestMeta(file: Buffer, layout: Layout): Meta | undefined {
  const first = metaAt(file, 0, layout);
  if (first === undefined) return undefined;
  const second = metaAt(file, first.pageBytes, layout);
  return second !== undefined && second.transaction > first.transaction ? second : first;
}

/**
 * The values of the store by their keys.
 * @throws StoreFault if the file is none, or damaged.
 */
export function readMenderStore(file: Buffer): ReadonlyMap<string, Buffer> {
  if (file.length === 0) throw new EmptyStore("it is empty");
  if (file.every((byte) => byte === 0)) throw new EmptyStore("it has nothing but zeros");
  try {
    for (const layout of LAYOUTS) {
      const meta = newestMeta(file, layout);
      if (meta === undefined) continue;
      const pages = new Pages(file, layout, meta.pageBytes);
      if (meta.root !== undefined) pages.read(meta.root);
      const { size } = pages.values;
      if (size !== meta.entries) {
        throw new StoreFault(`it has ${size} of the ${meta.entries} values that it says it has`);
      }
      return pages.values;
    }
  } catch (error) {
    if (error instanceof RangeError) throw new StoreFault("it ends too early, or is damaged", { cause: error });
    throw error;
  }
  throw new StoreFault("it is no LMDB file of this kind of machine");
}
