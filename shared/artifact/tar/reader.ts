import { ByteReader } from "../bytes.ts";
import { ArtifactError, type ArtifactFault } from "../errors.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { checkPath, quoted } from "../names.ts";
import type { ArtifactContent } from "../types.ts";
import { BLOCK_BYTES, decodeHeader, decodeText, type TarHeader } from "./header.ts";
import { type PaxAttributes, parsePax } from "./pax.ts";

/** The range of JavaScript's dates. */
const DATE_MS_MAX = 8.64e15;

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(bytes: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += ZEROS.length) {
    const piece = bytes.subarray(offset, offset + ZEROS.length);
    if (ZEROS.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
  }
  return true;
}

/** Refused types of entries, with the fault and its wording. */
const FOREIGN: Readonly<Record<string, readonly [ArtifactFault, string]>> = {
  "1": ["entry-is-link", "a hard link"],
  "2": ["entry-is-link", "a symbolic link"],
  K: ["entry-is-link", "a link"],
  "3": ["entry-is-device", "a character device"],
  "4": ["entry-is-device", "a block device"],
  "6": ["entry-is-device", "a FIFO"],
  "5": ["entry-is-directory", "a directory"],
  S: ["entry-is-sparse", "stored sparsely"],
};

/** A regular file in a tar stream. */
export interface TarEntry {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly modifiedMs: number;
  /** The next piece of the content; `undefined` at its end. */
  read(): Promise<Uint8Array | undefined>;
  /** Skips `count` bytes; the content must have that many left. */
  skip(count: number): Promise<void>;
}

/** Padding after a content of `sizeBytes`. */
function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/**
 * Reads a tar stream (ustar, with GNU and POSIX extensions for long names and large sizes) in one pass.
 * Strict: it knows regular files only, and refuses everything that a tar program would not write. tar-stream does not
 * read here: it collects extended headers without a bound, ignores malformed ones and does not check their sizes.
 */
export class TarReader {
  readonly #bytes: ByteReader;
  readonly #where: string;
  readonly #emptyAllowed: boolean;
  #started = false;
  #ended = false;
  #remaining = 0;
  #padding = 0;
  #entryStart = 0;

  /**
   * @param where Name of the tar, for messages.
   * @param emptyAllowed Accept a source of no bytes as a tar without entries.
   */
  constructor(source: ArtifactContent, where: string, emptyAllowed = false) {
    this.#bytes = new ByteReader(source);
    this.#where = where;
    this.#emptyAllowed = emptyAllowed;
  }

  /** Offset in the stream of the current entry's first header, or of the end mark. */
  get entryStart(): number {
    return this.#entryStart;
  }

  /** Offset in the stream of what was not handed out yet. */
  get position(): number {
    return this.#bytes.position;
  }

  /**
   * The next entry, after skipping the rest of the last one; `undefined` at a well-formed end of the stream.
   * @throws ArtifactError
   */
  async next(): Promise<TarEntry | undefined> {
    if (this.#ended) return undefined;
    await this.#finishEntry();
    this.#entryStart = this.#bytes.position;
    let longName: string | undefined;
    let pax: PaxAttributes | undefined;
    for (;;) {
      const header = await this.#header();
      if (header === undefined) {
        if (longName !== undefined || pax !== undefined) throw this.#truncated("behind an extended header");
        this.#ended = true;
        return undefined;
      }
      if (header.type === "x") {
        if (pax !== undefined) throw this.#malformed("two extended headers for one entry");
        pax = parsePax(await this.#extension(header), this.#where);
      } else if (header.type === "L") {
        if (longName !== undefined) throw this.#malformed("two long names for one entry");
        longName = decodeText(stripEnd(await this.#extension(header)), "name", this.#where);
      } else {
        return this.#entry(header, pax, pax?.path ?? longName ?? header.name);
      }
    }
  }

  /** Stop reading and release the source. */
  close(): Promise<void> {
    this.#ended = true;
    return this.#bytes.close();
  }

  #entry(header: TarHeader, pax: PaxAttributes | undefined, name: string): TarEntry {
    if (header.type !== "0" && header.type !== "\0") {
      const [code, what] = FOREIGN[header.type] ?? ["entry-type-unknown", `of the type ${quoted(header.type)}`];
      throw new ArtifactError(code, `${this.#where}: ${quoted(name)} is ${what}, not a file`);
    }
    if (name.endsWith("/")) {
      throw new ArtifactError("entry-is-directory", `${this.#where}: ${quoted(name)} is a directory, not a file`);
    }
    checkPath(name, this.#where);
    const sizeBytes = pax?.sizeBytes ?? header.sizeBytes;
    const modifiedMs = Math.round((pax?.modifiedSeconds ?? header.modifiedSeconds) * 1000);
    if (Math.abs(modifiedMs) > DATE_MS_MAX) throw this.#malformed(`${quoted(name)} is of a time that no calendar has`);
    this.#remaining = sizeBytes;
    this.#padding = paddingOf(sizeBytes);
    return {
      name,
      sizeBytes,
      modifiedMs,
      read: async () => {
        if (this.#remaining === 0) return undefined;
        const piece = await this.#bytes.some(this.#remaining);
        if (piece === undefined) throw this.#truncated(`within ${quoted(name)}, ${this.#remaining} bytes are missing`);
        this.#remaining -= piece.length;
        return piece;
      },
      skip: async (count) => {
        if (count > this.#remaining) throw new RangeError(`${count} of ${this.#remaining} bytes cannot be skipped`);
        const skipped = await this.#bytes.skip(count);
        this.#remaining -= skipped;
        if (skipped < count) throw this.#truncated(`within ${quoted(name)}, ${this.#remaining} bytes are missing`);
      },
    };
  }

  async #finishEntry(): Promise<void> {
    while (this.#remaining > 0) {
      const piece = await this.#bytes.some(this.#remaining);
      if (piece === undefined) throw this.#truncated(`${this.#remaining} bytes of an entry are missing`);
      this.#remaining -= piece.length;
    }
    if (this.#padding === 0) return;
    const padding = await this.#bytes.upTo(this.#padding);
    if (padding.length < this.#padding) throw this.#truncated("behind an entry");
    if (!isZero(padding)) throw this.#malformed("the space behind an entry is not empty");
    this.#padding = 0;
  }

  /** The next header block; `undefined` at the end mark, which only zeros may follow. */
  async #header(): Promise<TarHeader | undefined> {
    const block = await this.#bytes.upTo(BLOCK_BYTES);
    if (block.length === 0 && !this.#started && this.#emptyAllowed) return undefined;
    if (block.length < BLOCK_BYTES) throw this.#truncated("at the start of an entry");
    this.#started = true;
    if (!isZero(block)) return decodeHeader(block, this.#where);
    const second = await this.#bytes.upTo(BLOCK_BYTES);
    if (second.length < BLOCK_BYTES) throw this.#truncated("within its end mark");
    if (!isZero(second)) throw this.#malformed("an empty block stands between entries");
    let padding = 0;
    for (;;) {
      const piece = await this.#bytes.some(ZEROS.length);
      if (piece === undefined) return undefined;
      padding += piece.length;
      if (!isZero(piece) || padding > ARTIFACT_LIMITS.tarPaddingBytesMax) {
        throw new ArtifactError("trailing-bytes", `${this.#where}: there are bytes behind the end`);
      }
    }
  }

  /** The content of an extended header or long name, which applies to the next entry. */
  async #extension(header: TarHeader): Promise<Uint8Array> {
    if (header.sizeBytes > ARTIFACT_LIMITS.tarExtensionBytesMax) {
      const size = `${header.sizeBytes} bytes`;
      throw new ArtifactError("too-large", `${this.#where}: an extended header or long name takes ${size}`);
    }
    const content = await this.#bytes.upTo(header.sizeBytes);
    if (content.length < header.sizeBytes) throw this.#truncated("within an extended header");
    this.#padding = paddingOf(header.sizeBytes);
    await this.#finishEntry();
    return content;
  }

  #truncated(detail: string): ArtifactError {
    return new ArtifactError("truncated", `${this.#where}: it ends too early (${detail})`);
  }

  #malformed(detail: string): ArtifactError {
    return new ArtifactError("tar-malformed", `${this.#where}: ${detail}`);
  }
}

/** GNU ends long names with a NUL. */
function stripEnd(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** The whole content of a small entry. */
export async function readSmall(entry: TarEntry, limitBytes: number, where: string): Promise<Uint8Array> {
  if (entry.sizeBytes > limitBytes) {
    const sizes = `${entry.sizeBytes} bytes, the limit is ${limitBytes}`;
    throw new ArtifactError("too-large", `${where}: ${quoted(entry.name)} is too large (${sizes})`);
  }
  const content = new Uint8Array(entry.sizeBytes);
  let filled = 0;
  for (;;) {
    const piece = await entry.read();
    if (piece === undefined) return content;
    content.set(piece, filled);
    filled += piece.length;
  }
}

/** An entry's content as a stream. */
export function contentOf(entry: TarEntry): ArtifactContent {
  return {
    async *[Symbol.asyncIterator]() {
      for (let piece = await entry.read(); piece !== undefined; piece = await entry.read()) yield piece;
    },
    skip: (bytes) => entry.skip(bytes),
  };
}
