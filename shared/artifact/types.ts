/** How a tar inside an artifact is compressed. */
export type Compression = "none" | "gzip" | "xz" | "zstd";

/** The bytes of an artifact, front to back. */
export interface ArtifactContent extends AsyncIterable<Uint8Array> {
  /**
   * Skips bytes that the reader has already: the next chunk begins `bytes` further on. Sources that cannot skip omit
   * this function and are read whole. Called only between two chunks.
   */
  skip?(bytes: number): Promise<void>;
}

/**
 * Decompresses a stream. It must consume the source to the last byte, fail with an ArtifactError on damaged, truncated
 * or surplus input, and pass on the errors of the source.
 * @param where Name of the entry, for messages.
 */
export type Decompressor = (source: AsyncIterable<Uint8Array>, where: string) => AsyncIterable<Uint8Array>;

/** A payload's type-info: its type, provides and depends. */
export interface TypeInfo {
  /** The payload type, which names the update module; `null` for an empty payload. */
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string | readonly string[]>>;
  readonly clearsProvides?: readonly string[];
}

/** One payload of an artifact, as the header describes it. */
export interface PayloadHeader {
  readonly index: number;
  readonly typeInfo: TypeInfo;
  /** The exact text of `type-info`. */
  readonly typeInfoJson: string;
  /** The exact text of meta-data; absent if it is missing or empty. */
  readonly metaDataJson?: string;
}

/** A state script carried by the artifact, such as `ArtifactInstall_Enter_10_stop-app`. */
export interface StateScript {
  readonly name: string;
  readonly content: Uint8Array;
}

/** The unsigned part of an augmented artifact that overrides the header for one payload. */
export interface AugmentedPayloadHeader {
  readonly index: number;
  /** Absent if it is not overridden. */
  readonly type?: string;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string | readonly string[]>>;
  readonly clearsProvides?: readonly string[];
  /** The exact texts of `type-info` and `meta-data`, if present. */
  readonly typeInfoJson?: string;
  readonly metaDataJson?: string;
}

/** The unsigned header of an augmented artifact. It is untrusted until the update module permits it. */
export interface AugmentedHeader {
  readonly artifactName?: string;
  readonly artifactGroup?: string;
  readonly deviceTypes?: readonly string[];
  readonly dependsArtifactNames?: readonly string[];
  readonly dependsArtifactGroups?: readonly string[];
  /** The exact text of `header-info` in header-augment.tar; absent if the artifact only adds files. */
  readonly headerInfoJson?: string;
  readonly payloads: readonly AugmentedPayloadHeader[];
}

/** How the manifest was signed, if it was. */
export type SignatureState =
  | { readonly state: "unsigned" }
  /** Signed, but no key was given to verify the signature. */
  | { readonly state: "unchecked" }
  /** Verified; `key` is the index of the matching key. */
  | { readonly state: "verified"; readonly key: number };

/** The header of an artifact. Its checksums are verified, and its signature if keys were given. */
export interface ArtifactHeader {
  readonly version: 3;
  readonly artifactName: string;
  readonly artifactGroup?: string;
  /** From header-info's artifact_depends: lists. */
  readonly deviceTypes: readonly string[];
  readonly dependsArtifactNames?: readonly string[];
  readonly dependsArtifactGroups?: readonly string[];
  /** The exact text of header-info. */
  readonly headerInfoJson: string;
  readonly payloads: readonly PayloadHeader[];
  readonly scripts: readonly StateScript[];
  readonly signature: SignatureState;
  readonly compression: Compression;
  /** Present if the artifact is augmented: it has unsigned parts. */
  readonly augment?: AugmentedHeader;
  /** The manifest's lines, without those of manifest-augment: name → SHA-256 as 64 lower-case hexadecimal digits. */
  readonly manifest: ReadonlyMap<string, string>;
}

/** One file of a payload. Read `content` to its end before asking for the next file. */
export interface PayloadFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** From the manifest; `content` fails at its end if the content differs. */
  readonly sha256: string;
  /** It is listed in manifest-augment, which no signature covers. */
  readonly augmented?: true;
  /** Milliseconds since the Unix epoch, as written in the artifact. */
  readonly modifiedMs: number;
  readonly content: AsyncIterable<Uint8Array>;
  /**
   * Resumes after the bytes of an earlier reading of the same artifact: `content`, which must be unread, begins after
   * them, and the checksum includes them.
   * @returns False if the bytes cannot belong to this file: too many, or all of it with another checksum. Then nothing
   *   is skipped.
   */
  goOnAfter(kept: AsyncIterable<Uint8Array>): Promise<boolean>;
}

export interface Payload {
  readonly index: number;
  readonly header: PayloadHeader;
  readonly compression: Compression;
  /** The files in their order. The artifact is verified only if the iteration reaches its end. */
  files(): AsyncIterable<PayloadFile>;
}

export interface ReadOptions {
  /** PEM public keys. If any are given, one must verify the artifact's signature. */
  readonly verifyKeys?: readonly string[];
  /** Accept augmented artifacts. The caller must ask the update module which unsigned parts it permits. */
  readonly augmented?: boolean;
  /** Decompressors that replace the built-in ones. */
  readonly decompressors?: Readonly<Partial<Record<Compression, Decompressor>>>;
}

/** An open artifact, which is read once, front to back. */
export interface ArtifactReading {
  readonly header: ArtifactHeader;
  /**
   * The payloads in order; each must be read to its end before the next. The iteration ends without an error only if
   * the whole artifact is well formed: no file missing, none unlisted, no surplus bytes.
   */
  payloads(): AsyncIterable<Payload>;
  /**
   * Stops reading and releases the source. May be called after the end. It waits for a pending read of the source: to
   * close at once, abort the source first.
   */
  close(): Promise<void>;
}
