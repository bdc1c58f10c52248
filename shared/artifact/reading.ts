import type { KeyObject } from "node:crypto";
import { given } from "../given.ts";
import { parseAugmentedHeader } from "./augment.ts";
import { decompress } from "./compression/index.ts";
import { compressionOf } from "./compression/names.ts";
import { ArtifactError } from "./errors.ts";
import { parseHeader } from "./header.ts";
import { parseJson } from "./json.ts";
import { ARTIFACT_LIMITS } from "./limits.ts";
import { checkSum, Manifest, payloadDirectory, sha256 } from "./manifest.ts";
import { quoted } from "./names.ts";
import { OuterTar } from "./outer.ts";
import { Latch, StreamedPayload } from "./payload.ts";
import { VersionFile } from "./schemas.ts";
import { decodeSignature, findSigner, loadVerifyKeys } from "./signature.ts";
import { contentOf, readSmall, type TarEntry } from "./tar/reader.ts";
import { checkTerms } from "./terms.ts";
import type {
  ArtifactContent,
  ArtifactHeader,
  ArtifactReading,
  AugmentedHeader,
  Compression,
  Payload,
  PayloadHeader,
  ReadOptions,
  SignatureState,
} from "./types.ts";

const WHERE = "artifact";

/** @throws ArtifactError unless the file `version` names a supported format. */
function checkVersion(content: Uint8Array): void {
  const { value } = parseJson(content, VersionFile, "version", "not-an-artifact");
  if (value.format !== "mender") {
    throw new ArtifactError("not-an-artifact", `version: format must be "mender", but is ${quoted(value.format)}`);
  }
  if (value.version === 3) return;
  const age = value.version < 3 ? "older" : "newer";
  throw new ArtifactError(
    "version-unsupported",
    `version: this artifact is of version ${value.version}, which is ${age} than 3, the only one that is supported`,
  );
}

/**
 * Opens an artifact. Resolves once its header is read and verified, before any byte of a payload.
 * @param source The artifact's bytes. It is released when reading ends or fails.
 * @throws ArtifactError if the artifact breaks a rule; errors of the source are passed on.
 */
export async function openArtifact(source: ArtifactContent, options: ReadOptions = {}): Promise<ArtifactReading> {
  const outer = new OuterTar(source, options.augmented);
  try {
    const opened = await readHeader(outer, loadVerifyKeys(options.verifyKeys ?? []), options);
    return new Reading(outer, opened, options);
  } catch (error) {
    await outer.close();
    throw error;
  }
}

/** The header, and the manifest with the files read so far. */
interface OpenedHeader {
  readonly header: ArtifactHeader;
  readonly manifest: Manifest;
  /** The entry after the header. */
  readonly next: TarEntry | undefined;
}

async function readHeader(outer: OuterTar, keys: readonly KeyObject[], options: ReadOptions): Promise<OpenedHeader> {
  const versionContent = await readSmall(await outer.expect("version"), ARTIFACT_LIMITS.versionBytesMax, WHERE);
  checkVersion(versionContent);
  const manifestContent = await readSmall(await outer.expect("manifest"), ARTIFACT_LIMITS.manifestBytesMax, WHERE);
  let entry = await outer.next();
  const signature = await readSignature(entry, keys, manifestContent);
  if (signature.state !== "unsigned") entry = await outer.next();
  let augmentContent: Uint8Array | undefined;
  if (entry?.name === "manifest-augment") {
    augmentContent = await readSmall(entry, ARTIFACT_LIMITS.manifestBytesMax, WHERE);
    entry = await outer.next();
  }
  const manifest = new Manifest(manifestContent, augmentContent);
  checkSum("version", manifest.arrived("version"), sha256(versionContent));

  const compression = entry === undefined ? undefined : compressionOf(entry.name, "header.tar");
  if (entry === undefined || compression === undefined) throw outer.misplaced(entry, "header.tar");
  const parsed = await parseHeader(await readListed(entry, manifest), entry.name, compression, options);
  checkTerms(parsed);
  checkListedPayloads(manifest, parsed.payloads);
  // Reads ahead: a wrong order of entries is reported before a payload is used.
  let next = await outer.next();
  let augment = augmentContent === undefined ? undefined : NOTHING_BUT_FILES;
  const augmentCompression = next === undefined ? undefined : compressionOf(next.name, "header-augment.tar");
  if (next !== undefined && augmentCompression !== undefined) {
    const content = await readListed(next, manifest);
    augment = await parseAugmentedHeader(content, next.name, augmentCompression, options, parsed);
    next = await outer.next();
  }
  const [first] = parsed.payloads;
  if (first !== undefined) checkPlace(outer, first, next, parsed.payloads.length);
  const header: ArtifactHeader = {
    version: 3,
    ...parsed,
    signature,
    compression,
    manifest: manifest.checksums,
    ...given({ augment }),
  };
  return { header, manifest, next };
}

const NOTHING_BUT_FILES: AugmentedHeader = { payloads: [] };

/** A header with a verified checksum. */
async function readListed(entry: TarEntry, manifest: Manifest): Promise<Uint8Array> {
  const listed = manifest.arrived(entry.name);
  const content = await readSmall(entry, ARTIFACT_LIMITS.headerBytesMax, WHERE);
  checkSum(entry.name, listed, sha256(content));
  return content;
}

async function readSignature(
  entry: TarEntry | undefined,
  keys: readonly KeyObject[],
  manifest: Uint8Array,
): Promise<SignatureState> {
  if (entry?.name !== "manifest.sig") {
    if (keys.length === 0) return { state: "unsigned" };
    throw new ArtifactError("signature-missing", "the artifact is not signed, but only signed ones are to be trusted");
  }
  const signature = decodeSignature(await readSmall(entry, ARTIFACT_LIMITS.signatureBytesMax, WHERE));
  return keys.length === 0 ? { state: "unchecked" } : { state: "verified", key: findSigner(keys, manifest, signature) };
}

/** Reports files that no payload can contain before a byte of a payload is read. */
function checkListedPayloads(manifest: Manifest, payloads: readonly PayloadHeader[]): void {
  for (const { name, payload } of manifest.expectedFiles()) {
    const header = payloads[payload];
    if (header === undefined) {
      throw new ArtifactError(
        "missing",
        `${quoted(name)} is in the manifest, but there are ${payloads.length} payloads`,
      );
    }
    if (header.typeInfo.type === null) {
      throw new ArtifactError(
        "empty-payload-with-files",
        `${quoted(name)}: payload ${payload} has no type, so it has no files`,
      );
    }
  }
}

/**
 * The compression of a payload's tar; `undefined` if the payload is empty and the artifact has no tar for it.
 * @throws ArtifactError if another entry is at the position of the tar.
 */
function checkPlace(
  outer: OuterTar,
  payload: PayloadHeader,
  entry: TarEntry | undefined,
  payloads: number,
): Compression | undefined {
  const stem = `${payloadDirectory(payload.index)}.tar`;
  const compression = entry === undefined ? undefined : compressionOf(entry.name, stem);
  if (compression !== undefined) return compression;
  if (payload.typeInfo.type !== null) throw outer.misplaced(entry, stem);
  if (entry !== undefined && payload.index === payloads - 1) throw outer.misplaced(entry, undefined);
  return undefined;
}

class Reading implements ArtifactReading {
  readonly header: ArtifactHeader;
  readonly #outer: OuterTar;
  readonly #manifest: Manifest;
  readonly #options: ReadOptions;
  readonly #latch = new Latch();
  #next: TarEntry | undefined;
  #payload: StreamedPayload | undefined;
  #started = false;

  constructor(outer: OuterTar, { header, manifest, next }: OpenedHeader, options: ReadOptions) {
    this.header = header;
    this.#outer = outer;
    this.#manifest = manifest;
    this.#options = options;
    this.#next = next;
  }

  async *payloads(): AsyncGenerator<Payload> {
    if (this.#started) throw new Error("an artifact's payloads can be read once only");
    this.#started = true;
    try {
      for (const header of this.header.payloads) {
        const payload = await this.#latch.run(() => this.#open(header));
        this.#payload = payload;
        yield payload;
        await payload.finish();
        if (payload.hasContent) this.#next = await this.#latch.run(() => this.#outer.next());
      }
      if (this.#next !== undefined) throw this.#outer.misplaced(this.#next, undefined);
      this.#manifest.checkComplete();
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#started = true;
    await this.#payload?.close();
    await this.#outer.close();
  }

  async #open(header: PayloadHeader): Promise<StreamedPayload> {
    const entry = this.#next;
    const compression = checkPlace(this.#outer, header, entry, this.header.payloads.length);
    if (entry === undefined || compression === undefined) {
      const where = payloadDirectory(header.index);
      return new StreamedPayload(header, "none", undefined, where, this.#manifest, this.#latch);
    }
    const content = await decompress(compression, contentOf(entry), entry.name, this.#options.decompressors);
    return new StreamedPayload(header, compression, content, entry.name, this.#manifest, this.#latch);
  }
}
