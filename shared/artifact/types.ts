/** How a tar inside an artifact is compressed. */
export type Compression = "none" | "gzip" | "xz" | "zstd";

/** The bytes of an artifact, front to back. */
export interface ArtifactContent extends AsyncIterable<Uint8Array> {
  /**
   * Leave out what is at hand already: the next chunk begins `bytes` further on. A source that cannot do that has no
   * such function, and all of it is read. Called between two chunks only.
   */
  skip?(bytes: number): Promise<void>;
}

/**
 * Turns a compressed stream into what was compressed. It must use the source to its last byte, fail with an
 * ArtifactError on damaged, short or surplus input, and pass on what the source fails with.
 * @param where What is being decompressed, for messages.
 */
export type Decompressor = (source: AsyncIterable<Uint8Array>, where: string) => AsyncIterable<Uint8Array>;

/** A payload's type-info: what it is and what it needs and gives. */
export interface TypeInfo {
  /** The payload type, which names the update module; `null` for an empty payload. */
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string | readonly string[]>>;
  readonly clearsProvides?: readonly string[];
}

/** What header-info says of one payload of an artifact. */
export interface PayloadHeader {
  readonly index: number;
  readonly typeInfo: TypeInfo;
  /** `type-info` exactly as it stands in the artifact. */
  readonly typeInfoJson: string;
  /** meta-data as it stands in the artifact; absent when the artifact has none or an empty one. */
  readonly metaDataJson?: string;
}

/** A state script carried by the artifact, such as `ArtifactInstall_Enter_10_stop-app`. */
export interface StateScript {
  readonly name: string;
  readonly content: Uint8Array;
}

/** What the unsigned part of an augmented artifact says of one payload, instead of its header. */
export interface AugmentedPayloadHeader {
  readonly index: number;
  /** Absent if it is not overridden. */
  readonly type?: string;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string | readonly string[]>>;
  readonly clearsProvides?: readonly string[];
  /** `type-info` and `meta-data` exactly as they stand in the artifact, if they do. */
  readonly typeInfoJson?: string;
  readonly metaDataJson?: string;
}

/** The unsigned header of an augmented artifact. Nothing of it may be trusted before the update module permits it. */
export interface AugmentedHeader {
  readonly artifactName?: string;
  readonly artifactGroup?: string;
  readonly deviceTypes?: readonly string[];
  readonly dependsArtifactNames?: readonly string[];
  readonly dependsArtifactGroups?: readonly string[];
  /** `header-info` exactly as it stands in header-augment.tar; absent if the artifact has none, only files. */
  readonly headerInfoJson?: string;
  readonly payloads: readonly AugmentedPayloadHeader[];
}

/** How the manifest was signed, if it was. */
export type SignatureState =
  | { readonly state: "unsigned" }
  /** There is a signature, and no key to check it with. */
  | { readonly state: "unchecked" }
  /** One of the keys fits; `key` is its index among those given. */
  | { readonly state: "verified"; readonly key: number };

/** Everything an artifact says before its payloads. Its checksums hold, and its signature if keys were given. */
export interface ArtifactHeader {
  readonly version: 3;
  readonly artifactName: string;
  readonly artifactGroup?: string;
  /** From header-info's artifact_depends: lists. */
  readonly deviceTypes: readonly string[];
  readonly dependsArtifactNames?: readonly string[];
  readonly dependsArtifactGroups?: readonly string[];
  /** header-info exactly as it stands in the artifact. */
  readonly headerInfoJson: string;
  readonly payloads: readonly PayloadHeader[];
  readonly scripts: readonly StateScript[];
  readonly signature: SignatureState;
  readonly compression: Compression;
  /** Present if the artifact is augmented: it has parts that no signature covers. */
  readonly augment?: AugmentedHeader;
  /** The manifest's lines, without those of manifest-augment: name → SHA-256 as 64 lower-case hexadecimal digits. */
  readonly manifest: ReadonlyMap<string, string>;
}

/** One file of a payload. Read `content` to its end before asking for the next file. */
export interface PayloadFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** From the manifest; `content` fails at its end if what came differs. */
  readonly sha256: string;
  /** It is listed in manifest-augment, which no signature covers. */
  readonly augmented?: true;
  /** Milliseconds since the Unix epoch, as written in the artifact. */
  readonly modifiedMs: number;
  readonly content: AsyncIterable<Uint8Array>;
  /**
   * Go on behind the bytes that an earlier reading of the same artifact brought: `content`, of which nothing was read
   * yet, begins after them. They count for the checksum as if they had come.
   * @returns False if they cannot be of this file: more than it has, or all of it with another checksum. Nothing was
   *   left out then.
   */
  goOnAfter(kept: AsyncIterable<Uint8Array>): Promise<boolean>;
}

export interface Payload {
  readonly index: number;
  readonly header: PayloadHeader;
  readonly compression: Compression;
  /** The files in the order in which they are written. Read to the end, else the artifact is not verified. */
  files(): AsyncIterable<PayloadFile>;
}

export interface ReadOptions {
  /** PEM public keys. If there are any, one of them must fit the artifact's signature. */
  readonly verifyKeys?: readonly string[];
  /** Read augmented artifacts too. Whoever does must ask the update module what of the unsigned parts is permitted. */
  readonly augmented?: boolean;
  /** Used instead of the built-in ones, where a program has faster ones at hand. */
  readonly decompressors?: Readonly<Partial<Record<Compression, Decompressor>>>;
}

/** An artifact that is being read, front to back, once. */
export interface ArtifactReading {
  readonly header: ArtifactHeader;
  /**
   * The payloads in order, each to be read to its end before the next is asked for. The iteration ends
   * well only if the whole artifact was well formed: nothing missing, nothing unlisted, nothing behind it.
   */
  payloads(): AsyncIterable<Payload>;
  /**
   * Stop reading and release the source. Harmless after the end. It waits for a chunk that the source has
   * been asked for: whoever wants to be quicker ends the source's wait first.
   */
  close(): Promise<void>;
}
