import { given } from "../given.ts";
import { decompress } from "./compression/index.ts";
import { ArtifactError } from "./errors.ts";
import { metaDataText, parseJson } from "./json.ts";
import { ARTIFACT_LIMITS } from "./limits.ts";
import { checkFileName, quoted } from "./names.ts";
import { HeaderInfo, TypeInfoFile } from "./schemas.ts";
import { readSmall, type TarEntry, TarReader } from "./tar/reader.ts";
import type { ArtifactHeader, Compression, PayloadHeader, ReadOptions, StateScript, TypeInfo } from "./types.ts";

/** The part of an artifact's header that header.tar holds. */
export type HeaderContent = Pick<
  ArtifactHeader,
  | "artifactName"
  | "artifactGroup"
  | "deviceTypes"
  | "dependsArtifactNames"
  | "dependsArtifactGroups"
  | "headerInfoJson"
  | "payloads"
  | "scripts"
>;

/** One chunk, as a stream. */
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Bounds the decompressed size: a larger header is a decompression bomb. */
async function* bounded(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const piece of source) {
    total += piece.length;
    if (total > ARTIFACT_LIMITS.headerExpandedBytesMax) {
      const limit = ARTIFACT_LIMITS.headerExpandedBytesMax;
      throw new ArtifactError("too-large", `${name}: it decompresses to more than ${limit} bytes`);
    }
    yield piece;
  }
}

/**
 * Parses the content of header.tar, whose checksum the caller has verified.
 * @param name `header.tar` with its suffix, for messages.
 */
export async function parseHeader(
  content: Uint8Array,
  name: string,
  compression: Compression,
  options: ReadOptions,
): Promise<HeaderContent> {
  return await withHeaderTar(content, name, compression, options, (tar) => parseEntries(tar, name));
}

/** Reads the entries of a header's tar, within its bounds. */
export async function withHeaderTar<T>(
  content: Uint8Array,
  name: string,
  compression: Compression,
  options: ReadOptions,
  read: (tar: TarReader) => Promise<T>,
): Promise<T> {
  const plain = await decompress(compression, once(content), name, options.decompressors);
  const tar = new TarReader(bounded(plain, name), name);
  try {
    return await read(tar);
  } finally {
    await tar.close();
  }
}

/** The content of header-info, the first entry of a header. */
export async function readHeaderInfo(tar: TarReader, name: string): Promise<Uint8Array> {
  const first = await tar.next();
  if (first?.name !== "header-info") {
    const found = first === undefined ? "nothing" : quoted(first.name);
    throw new ArtifactError("entry-order", `${name}: header-info must come first, but ${found} does`);
  }
  return await readSmall(first, ARTIFACT_LIMITS.headerInfoBytesMax, name);
}

async function parseEntries(tar: TarReader, name: string): Promise<HeaderContent> {
  const infoBytes = await readHeaderInfo(tar, name);
  const info = parseJson(infoBytes, HeaderInfo, "header-info", "header-info-invalid");
  if (info.value.payloads.length > ARTIFACT_LIMITS.payloadsMax) {
    throw new ArtifactError("too-large", `header-info: it has ${info.value.payloads.length} payloads`);
  }

  const scripts: StateScript[] = [];
  let entry = await tar.next();
  for (; entry?.name.startsWith("scripts/"); entry = await tar.next()) {
    const script = entry.name.slice("scripts/".length);
    checkFileName(script, name);
    if (scripts.some((known) => known.name === script)) throw duplicate(entry, name);
    if (scripts.length >= ARTIFACT_LIMITS.scriptsMax) {
      throw new ArtifactError("too-large", `${name}: it has more than ${ARTIFACT_LIMITS.scriptsMax} state scripts`);
    }
    scripts.push({ name: script, content: await readSmall(entry, ARTIFACT_LIMITS.scriptBytesMax, name) });
  }

  const payloads: PayloadHeader[] = [];
  for (const [index, { type }] of info.value.payloads.entries()) {
    const directory = `headers/${String(index).padStart(4, "0")}`;
    if (entry?.name !== `${directory}/type-info`) throw misplaced(entry, `${directory}/type-info`, name);
    const typeInfo = parseTypeInfo(await readSmall(entry, ARTIFACT_LIMITS.typeInfoBytesMax, name), entry.name, type);
    entry = await tar.next();
    let metaDataJson: string | undefined;
    if (entry?.name === `${directory}/meta-data`) {
      const bytes = await readSmall(entry, ARTIFACT_LIMITS.metaDataBytesMax, name);
      if (bytes.length > 0) metaDataJson = metaDataText(bytes, entry.name);
      entry = await tar.next();
    }
    payloads.push({ index, ...typeInfo, ...given({ metaDataJson }) });
  }
  if (entry !== undefined) throw misplaced(entry, undefined, name);

  const { artifact_provides: provides, artifact_depends: depends } = info.value;
  return {
    artifactName: provides.artifact_name,
    ...(provides.artifact_group ? { artifactGroup: provides.artifact_group } : {}),
    deviceTypes: depends.device_type,
    ...given({ dependsArtifactNames: depends.artifact_name, dependsArtifactGroups: depends.artifact_group }),
    headerInfoJson: info.text,
    payloads,
    scripts,
  };
}

function parseTypeInfo(
  bytes: Uint8Array,
  name: string,
  type: string | null,
): Pick<PayloadHeader, "typeInfo" | "typeInfoJson"> {
  const { text, value } = parseJson(bytes, TypeInfoFile, name, "type-info-invalid");
  const agrees = type === null ? value.type === null : value.type === type || value.type === "";
  if (!agrees) {
    const types = `${JSON.stringify(value.type)}, header-info has ${JSON.stringify(type)}`;
    throw new ArtifactError("payload-type-mismatch", `${name}: type is ${types}`);
  }
  const typeInfo: TypeInfo = {
    type,
    ...given({
      provides: value.artifact_provides,
      depends: value.artifact_depends,
      clearsProvides: value.clears_artifact_provides,
    }),
  };
  return { typeInfo, typeInfoJson: text };
}

function duplicate(entry: TarEntry, name: string): ArtifactError {
  return new ArtifactError("duplicate-entry", `${name}: ${quoted(entry.name)} is in it twice`);
}

/** The error for an entry at the wrong position of a header. */
export function misplaced(entry: TarEntry | undefined, expected: string | undefined, name: string): ArtifactError {
  if (entry === undefined) return new ArtifactError("missing", `${name}: ${quoted(expected ?? "")} is not in it`);
  const known = /^(header-info|scripts\/.+|headers\/\d{4}\/(type-info|meta-data))$/.test(entry.name);
  const place = expected === undefined ? "at the end" : `where ${quoted(expected)} must be`;
  const code = known ? "entry-order" : "entry-unexpected";
  return new ArtifactError(code, `${name}: ${quoted(entry.name)} stands ${place}`);
}
