import { createHash } from "node:crypto";
import { ArtifactError } from "./errors.ts";
import { checkFileName, quoted } from "./names.ts";

const LINE = /^([0-9a-f]{64}) {2}(.+)$/;
const HEADER = /^header\.tar(\.(gz|xz|zst))?$/;
const AUGMENTED_HEADER = /^header-augment\.tar(\.(gz|xz|zst))?$/;
const PAYLOAD_FILE = /^data\/(\d{4})\/(.+)$/s;

/** Name of a payload's file in the manifest. */
export function manifestName(payload: number, file: string): string {
  return `${payloadDirectory(payload)}/${file}`;
}

/** `data/0000`, …: the stem of a payload's tar, and the directory that the manifest puts its files in. */
export function payloadDirectory(payload: number): string {
  return `data/${String(payload).padStart(4, "0")}`;
}

/** The files of an artifact with their checksums, and which of them were read so far. */
export class Manifest {
  readonly checksums: ReadonlyMap<string, string>;
  readonly #augmented: ReadonlyMap<string, string>;
  readonly #expected: Set<string>;

  /**
   * @param augment Content of manifest-augment. It adds to the manifest and can override nothing in it.
   * @throws ArtifactError if a line is malformed, is repeated, or names a file that no artifact contains.
   */
  constructor(content: Uint8Array, augment?: Uint8Array) {
    this.checksums = parseManifest(content, "manifest", new Map());
    this.#augmented = augment === undefined ? new Map() : parseManifest(augment, "manifest-augment", this.checksums);
    this.#expected = new Set([...this.checksums.keys(), ...this.#augmented.keys()]);
  }

  /** True for what is listed in manifest-augment only. */
  isAugmented(name: string): boolean {
    return this.#augmented.has(name);
  }

  /**
   * The checksum of a file, which is marked as read.
   * @throws ArtifactError if the file is not listed or was read before.
   */
  arrived(name: string): string {
    const checksum = this.checksums.get(name) ?? this.#augmented.get(name);
    if (checksum === undefined) {
      throw new ArtifactError("unlisted", `${quoted(name)} is in the artifact, but not in its manifest`);
    }
    if (!this.#expected.delete(name)) {
      throw new ArtifactError("duplicate-entry", `${quoted(name)} is in the artifact twice`);
    }
    return checksum;
  }

  /** Listed files of payloads that were not read yet. */
  *expectedFiles(): Generator<{ name: string; payload: number }> {
    for (const name of this.#expected) {
      const [, digits] = PAYLOAD_FILE.exec(name) ?? [];
      if (digits !== undefined) yield { name, payload: Number(digits) };
    }
  }

  /** @throws ArtifactError if a listed file was not read: of `payload` if given, otherwise of the artifact. */
  checkComplete(payload?: number): void {
    const prefix = payload === undefined ? "" : `${payloadDirectory(payload)}/`;
    for (const name of this.#expected) {
      if (!name.startsWith(prefix)) continue;
      throw new ArtifactError("missing", `${quoted(name)} is in the manifest, but not in the artifact`);
    }
  }
}

/** SHA-256 as the manifest has it. */
export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** @throws ArtifactError if a checksum differs from the manifest. */
export function checkSum(name: string, expected: string, actual: string): void {
  if (expected === actual) return;
  throw new ArtifactError(
    "checksum-mismatch",
    `${quoted(name)}: the SHA-256 is ${actual}, the manifest has ${expected}`,
  );
}

type ManifestName = "manifest" | "manifest-augment";

/** @param before Names listed elsewhere, which must not be repeated here. */
function parseManifest(
  content: Uint8Array,
  which: ManifestName,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const checksums = new Map<string, string>();
  for (const line of linesOf(content, which)) {
    const [, checksum, name] = LINE.exec(line) ?? [];
    if (checksum === undefined || name === undefined) {
      throw new ArtifactError("manifest-malformed", `${which}: ${quoted(line)} is not a checksum and a name`);
    }
    checkListedName(name, which);
    if (checksums.has(name)) throw new ArtifactError("manifest-duplicate", `${which}: ${quoted(name)} is listed twice`);
    if (before.has(name)) {
      throw new ArtifactError("manifest-duplicate", `${which}: ${quoted(name)} is listed in the manifest already`);
    }
    checksums.set(name, checksum);
  }
  return checksums;
}

function* linesOf(content: Uint8Array, which: ManifestName): Generator<string> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch (cause) {
    throw new ArtifactError("manifest-malformed", `${which}: it is not UTF-8`, { cause });
  }
  const lines = text.split("\n");
  // The text after the last line feed is no line.
  if (lines.at(-1) === "") lines.pop();
  yield* lines;
}

function checkListedName(name: string, which: ManifestName): void {
  if (which === "manifest" ? name === "version" || HEADER.test(name) : AUGMENTED_HEADER.test(name)) return;
  const [, , file] = PAYLOAD_FILE.exec(name) ?? [];
  if (file === undefined)
    throw new ArtifactError("manifest-malformed", `${which}: ${quoted(name)} is no part of an artifact`);
  checkFileName(file, which);
}
