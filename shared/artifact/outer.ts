import { ArtifactError } from "./errors.ts";
import { quoted } from "./names.ts";
import { type TarEntry, TarReader } from "./tar/reader.ts";
import type { ArtifactContent } from "./types.ts";

const WHERE = "artifact";
const KNOWN =
  /^(version|manifest|manifest\.sig|manifest-augment|header(-augment)?\.tar(\.(gz|xz|zst))?|data\/\d{4}\.tar(\.(gz|xz|zst))?)$/;
const AUGMENTED = /^(manifest-augment(\.sig)?|header-augment\.tar(\.(gz|xz|zst))?)$/;

/** The outer tar of an artifact, which checks the order of its entries. */
export class OuterTar {
  readonly #tar: TarReader;
  readonly #seen = new Set<string>();
  readonly #augmented: boolean;

  /** @param augmented Accept the entries of augmented artifacts. */
  constructor(source: ArtifactContent, augmented = false) {
    this.#augmented = augmented;
    this.#tar = new TarReader(source, WHERE);
  }

  /** The next entry, if any. @throws ArtifactError for a duplicate, and for an augmented entry unless accepted. */
  async next(): Promise<TarEntry | undefined> {
    const entry = await this.#read();
    if (entry === undefined) return undefined;
    if (this.#seen.has(entry.name)) {
      throw new ArtifactError("duplicate-entry", `${WHERE}: ${quoted(entry.name)} is in it twice`);
    }
    this.#seen.add(entry.name);
    if (!this.#augmented && AUGMENTED.test(entry.name)) {
      throw new ArtifactError(
        "augmented-unsupported",
        `${WHERE}: it has ${quoted(entry.name)}; augmented artifacts are not supported`,
      );
    }
    return entry;
  }

  /** The next entry, which must have this name. */
  async expect(name: string): Promise<TarEntry> {
    const entry = await this.next();
    if (entry?.name === name) return entry;
    if (this.#seen.size === 1 && entry !== undefined && !KNOWN.test(entry.name)) {
      throw new ArtifactError(
        "not-an-artifact",
        `${WHERE}: it starts with ${quoted(entry.name)}, an artifact with "version"`,
      );
    }
    if (this.#seen.size === 0) {
      throw new ArtifactError("not-an-artifact", "this is no artifact: it is an empty tar, or zeros only");
    }
    throw this.misplaced(entry, name);
  }

  /**
   * The error for an entry at the wrong position.
   * @param expected Name of the required entry; `undefined` if no entry may follow.
   */
  misplaced(entry: TarEntry | undefined, expected: string | undefined): ArtifactError {
    if (entry === undefined) return new ArtifactError("missing", `${WHERE}: ${quoted(expected ?? "")} is not in it`);
    const place = expected === undefined ? "behind its end" : `where ${quoted(expected)} must be`;
    const code = KNOWN.test(entry.name) && expected !== undefined ? "entry-order" : "entry-unexpected";
    return new ArtifactError(code, `${WHERE}: ${quoted(entry.name)} stands ${place}`);
  }

  close(): Promise<void> {
    return this.#tar.close();
  }

  async #read(): Promise<TarEntry | undefined> {
    try {
      return await this.#tar.next();
    } catch (error) {
      // A file whose first block is no tar header is another kind of file, not a damaged artifact.
      const first = this.#seen.size === 0 && error instanceof ArtifactError;
      if (!first || (error.code !== "tar-malformed" && error.code !== "truncated")) throw error;
      throw new ArtifactError("not-an-artifact", `this is no artifact: ${error.message}`, { cause: error });
    }
  }
}
