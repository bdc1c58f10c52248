import { createHash } from "node:crypto";
import { ArtifactError } from "./errors.ts";
import { checkSum, type Manifest, manifestName } from "./manifest.ts";
import { checkFileName, quoted } from "./names.ts";
import { type TarEntry, TarReader } from "./tar/reader.ts";
import type { ArtifactContent, Compression, Payload, PayloadFile, PayloadHeader } from "./types.ts";

/**
 * Keeps the first fault: an artifact must not look well formed later because its reader ignored an error. Every step
 * of reading payloads goes through one instance.
 */
export class Latch {
  #failed: { readonly error: unknown } | undefined;

  async run<T>(step: () => Promise<T>): Promise<T> {
    if (this.#failed !== undefined) throw this.#failed.error;
    try {
      return await step();
    } catch (error) {
      this.#failed = { error };
      throw error;
    }
  }
}

/** A file whose content is hashed while it is read. */
class VerifiedFile implements PayloadFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
  readonly augmented?: true;
  readonly content: AsyncIterable<Uint8Array>;
  readonly #entry: TarEntry;
  readonly #listedAs: string;
  readonly #latch: Latch;
  #hash = createHash("sha256");
  #ended = false;

  constructor(entry: TarEntry, listedAs: string, sha256: string, augmented: boolean, latch: Latch) {
    if (augmented) this.augmented = true;
    this.name = entry.name;
    this.sizeBytes = entry.sizeBytes;
    this.sha256 = sha256;
    this.modifiedMs = entry.modifiedMs;
    this.#entry = entry;
    this.#listedAs = listedAs;
    this.#latch = latch;
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const value = await latch.run(() => this.read());
      return value === undefined ? { done: true, value } : { done: false, value };
    };
    // The unread rest of a file is read and verified when the next file is requested.
    this.content = { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async goOnAfter(kept: AsyncIterable<Uint8Array>): Promise<boolean> {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of kept) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    if (bytes > this.sizeBytes) return false;
    if (bytes === this.sizeBytes && hash.copy().digest("hex") !== this.sha256) return false;
    await this.#latch.run(() => this.#entry.skip(bytes));
    this.#hash = hash;
    return true;
  }

  /** The next piece; `undefined` at the end, once the checksum is verified. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const piece = await this.#entry.read();
    if (piece !== undefined) {
      this.#hash.update(piece);
      return piece;
    }
    this.#ended = true;
    checkSum(this.#listedAs, this.sha256, this.#hash.digest("hex"));
    return undefined;
  }
}

/** A payload that is being read. */
export class StreamedPayload implements Payload {
  readonly index: number;
  readonly header: PayloadHeader;
  readonly compression: Compression;
  readonly #tar: TarReader | undefined;
  readonly #manifest: Manifest;
  readonly #latch: Latch;
  #current: VerifiedFile | undefined;
  #ended = false;

  /** @param content The decompressed tar; `undefined` if the artifact has no tar for this payload. */
  constructor(
    header: PayloadHeader,
    compression: Compression,
    content: ArtifactContent | undefined,
    where: string,
    manifest: Manifest,
    latch: Latch,
  ) {
    this.index = header.index;
    this.header = header;
    this.compression = compression;
    this.#tar = content === undefined ? undefined : new TarReader(content, where, true);
    this.#manifest = manifest;
    this.#latch = latch;
  }

  /** Whether the artifact has a tar for this payload. */
  get hasContent(): boolean {
    return this.#tar !== undefined;
  }

  async *files(): AsyncGenerator<PayloadFile> {
    for (;;) {
      const file = await this.#latch.run(() => this.#next());
      if (file === undefined) return;
      yield file;
    }
  }

  /** Reads the rest of the payload, so that all of it is verified. */
  async finish(): Promise<void> {
    while ((await this.#latch.run(() => this.#next())) !== undefined);
  }

  close(): Promise<void> {
    return this.#tar?.close() ?? Promise.resolve();
  }

  async #next(): Promise<PayloadFile | undefined> {
    if (this.#ended) return undefined;
    while (this.#current !== undefined && (await this.#current.read()) !== undefined);
    this.#current = undefined;
    const entry = await this.#tar?.next();
    if (entry === undefined) {
      this.#ended = true;
      this.#manifest.checkComplete(this.index);
      return undefined;
    }
    const listedAs = manifestName(this.index, entry.name);
    checkFileName(entry.name, listedAs);
    if (this.header.typeInfo.type === null) {
      throw new ArtifactError(
        "empty-payload-with-files",
        `${quoted(listedAs)}: the payload has no type, so it has no files`,
      );
    }
    this.#current = new VerifiedFile(
      entry,
      listedAs,
      this.#manifest.arrived(listedAs),
      this.#manifest.isAugmented(listedAs),
      this.#latch,
    );
    return this.#current;
  }
}
