import { given } from "../given.ts";
import { ArtifactError } from "./errors.ts";
import { type HeaderContent, misplaced, readHeaderInfo, withHeaderTar } from "./header.ts";
import { metaDataText, parseJson } from "./json.ts";
import { ARTIFACT_LIMITS } from "./limits.ts";
import { quoted } from "./names.ts";
import { AugmentedHeaderInfo, TypeInfoFile } from "./schemas.ts";
import { readSmall, type TarEntry, type TarReader } from "./tar/reader.ts";
import type { AugmentedHeader, AugmentedPayloadHeader, Compression, PayloadHeader, ReadOptions } from "./types.ts";

/**
 * Parses the content of header-augment.tar, whose checksum the caller has verified. It has no scripts, and one entry
 * for each payload of the artifact.
 * @param name `header-augment.tar` with its suffix, for messages.
 * @param original The signed header.
 */
export async function parseAugmentedHeader(
  content: Uint8Array,
  name: string,
  compression: Compression,
  options: ReadOptions,
  original: HeaderContent,
): Promise<AugmentedHeader> {
  return await withHeaderTar(content, name, compression, options, (tar) => parseEntries(tar, name, original));
}

async function parseEntries(tar: TarReader, name: string, original: HeaderContent): Promise<AugmentedHeader> {
  const bytes = await readHeaderInfo(tar, name);
  const info = parseJson(bytes, AugmentedHeaderInfo, `${name}: header-info`, "header-info-invalid");
  const { payloads: types, artifact_provides: provides, artifact_depends: depends } = info.value;
  if (types.length !== original.payloads.length) {
    const counts = `it has ${types.length} payloads, the artifact has ${original.payloads.length}`;
    throw new ArtifactError("header-info-invalid", `${name}: header-info: ${counts}`);
  }
  const payloads: AugmentedPayloadHeader[] = [];
  let entry = await tar.next();
  for (const payload of original.payloads) {
    const type = types[payload.index]?.type ?? "";
    const parsed = await parsePayload(tar, entry, name, payload, type);
    entry = parsed.next;
    payloads.push(parsed.header);
  }
  if (entry !== undefined) throw misplaced(entry, undefined, name);
  return {
    ...(provides?.artifact_name === undefined ? {} : { artifactName: provides.artifact_name }),
    ...(provides?.artifact_group === undefined ? {} : { artifactGroup: provides.artifact_group }),
    ...(depends?.device_type === undefined ? {} : { deviceTypes: depends.device_type }),
    ...(depends?.artifact_name === undefined ? {} : { dependsArtifactNames: depends.artifact_name }),
    ...(depends?.artifact_group === undefined ? {} : { dependsArtifactGroups: depends.artifact_group }),
    headerInfoJson: info.text,
    payloads,
  };
}

/** Unlike in header.tar, both files of a payload are optional. */
async function parsePayload(
  tar: TarReader,
  first: TarEntry | undefined,
  name: string,
  { index, typeInfo: original }: PayloadHeader,
  type: string,
): Promise<{ readonly header: AugmentedPayloadHeader; readonly next: TarEntry | undefined }> {
  if (original.type === null && type !== "") {
    throw new ArtifactError(
      "payload-type-mismatch",
      `${name}: header-info: payload ${index} is empty and cannot become one of type ${quoted(type)}`,
    );
  }
  const directory = `headers/${String(index).padStart(4, "0")}`;
  let header: AugmentedPayloadHeader = type === "" ? { index } : { index, type };
  let entry = first;
  if (entry?.name === `${directory}/type-info`) {
    const where = `${name}: ${entry.name}`;
    const bytes = await readSmall(entry, ARTIFACT_LIMITS.typeInfoBytesMax, name);
    const { text, value } = parseJson(bytes, TypeInfoFile, where, "type-info-invalid");
    if (value.type !== "" && value.type !== (type === "" ? original.type : type)) {
      const types = `${JSON.stringify(value.type)}, header-info has ${JSON.stringify(type)}`;
      throw new ArtifactError("payload-type-mismatch", `${where}: type is ${types}`);
    }
    header = {
      ...header,
      ...given({
        provides: value.artifact_provides,
        depends: value.artifact_depends,
        clearsProvides: value.clears_artifact_provides,
      }),
      typeInfoJson: text,
    };
    entry = await tar.next();
  }
  if (entry?.name === `${directory}/meta-data`) {
    const bytes = await readSmall(entry, ARTIFACT_LIMITS.metaDataBytesMax, name);
    if (bytes.length > 0) {
      header = { ...header, metaDataJson: metaDataText(bytes, `${name}: ${entry.name}`) };
    }
    entry = await tar.next();
  }
  return { header, next: entry };
}
