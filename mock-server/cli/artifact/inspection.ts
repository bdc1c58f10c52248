import {
  type ArtifactHeader,
  type AugmentedHeader,
  openArtifact,
  type PayloadHeader,
  type ReadOptions,
} from "@upkeep/shared/artifact";
import { given } from "@upkeep/shared/given";

export interface InspectedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
  /** No signature covers it. */
  readonly augmented?: true;
}

export interface InspectedPayload {
  /** As the augmented part overrides it, if there is one. */
  readonly header: PayloadHeader;
  readonly files: readonly InspectedFile[];
}

/** An artifact that was read to its end, and so is in order. */
export interface Inspection {
  readonly header: ArtifactHeader;
  readonly payloads: readonly InspectedPayload[];
}

/** Read an artifact whole, keeping what it says and none of its content. */
export async function inspect(content: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Inspection> {
  const reading = await openArtifact(content, { ...options, augmented: true });
  const payloads: InspectedPayload[] = [];
  for await (const payload of reading.payloads()) {
    const files: InspectedFile[] = [];
    for await (const { name, sizeBytes, sha256, modifiedMs, augmented } of payload.files()) {
      files.push({ name, sizeBytes, sha256, modifiedMs, ...given({ augmented }) });
    }
    payloads.push({ header: effective(payload.header, reading.header.augment), files });
  }
  return { header: reading.header, payloads };
}

/** The header of a payload, with what its augmented part overrides. */
function effective(header: PayloadHeader, augment: AugmentedHeader | undefined): PayloadHeader {
  const over = augment?.payloads.find(({ index }) => index === header.index);
  if (over === undefined) return header;
  const { type, provides, depends, clearsProvides } = header.typeInfo;
  return {
    ...header,
    typeInfo: {
      type: over.type ?? type,
      provides: { ...provides, ...over.provides },
      depends: { ...depends, ...over.depends },
      ...given({ clearsProvides: over.clearsProvides ?? clearsProvides }),
    },
    ...given({ metaDataJson: over.metaDataJson ?? header.metaDataJson }),
  };
}

function parsedMetaData({ metaDataJson }: PayloadHeader): unknown {
  return metaDataJson === undefined ? undefined : JSON.parse(metaDataJson);
}

/** For programs. */
export function inspectionJson({ header, payloads }: Inspection, sizeBytes: number): unknown {
  return {
    name: header.artifactName,
    format: "mender",
    version: header.version,
    size: sizeBytes,
    compression: header.compression,
    signature: header.signature.state,
    augmented: header.augment !== undefined,
    provides_group: header.artifactGroup ?? null,
    device_types: header.deviceTypes,
    depends_artifact_names: header.dependsArtifactNames ?? [],
    depends_artifact_groups: header.dependsArtifactGroups ?? [],
    scripts: header.scripts.map((script) => script.name),
    payloads: payloads.map(({ header: payload, files }) => ({
      type: payload.typeInfo.type,
      provides: payload.typeInfo.provides ?? {},
      depends: payload.typeInfo.depends ?? {},
      clears_provides: payload.typeInfo.clearsProvides ?? [],
      meta_data: parsedMetaData(payload) ?? null,
      files: files.map((file) => ({
        name: file.name,
        size: file.sizeBytes,
        modified: new Date(file.modifiedMs).toISOString(),
        checksum: file.sha256,
        ...given({ augmented: file.augmented }),
      })),
    })),
  };
}

/** What `read` says of signatures, and the fields below, are those of `mender-artifact`: scripts look for them. */
const SIGNATURES = {
  unsigned: "no signature",
  unchecked: "signed but no key for verification provided; please use `-k` option for providing verification key",
  verified: "signed and verified correctly",
} as const;

function list(values: readonly string[] | undefined): string {
  return `[${(values ?? []).join(", ")}]`;
}

function* mapLines(
  title: string,
  map: Readonly<Record<string, string | readonly string[]>> | undefined,
): Generator<string> {
  const keys = Object.keys(map ?? {}).sort();
  yield keys.length === 0 ? `    ${title}: {}` : `    ${title}:`;
  for (const key of keys) {
    const value = map?.[key] ?? "";
    yield `      ${key}: ${typeof value === "string" ? value : list(value)}`;
  }
}

function* payloadLines({ header, files }: InspectedPayload): Generator<string> {
  const { type, provides, depends, clearsProvides } = header.typeInfo;
  yield `  - Type: ${type ?? "Empty type"}`;
  yield* mapLines("Provides", provides);
  yield* mapLines("Depends", depends);
  yield `    Clears Provides: ${list(clearsProvides)}`;
  const metaData = parsedMetaData(header);
  yield metaData === undefined ? "    Metadata: {}" : "    Metadata:";
  if (metaData !== undefined) {
    for (const line of JSON.stringify(metaData, null, 2).split("\n")) yield `      ${line}`;
  }
  yield files.length === 0 ? "    Files: []" : "    Files:";
  for (const { sha256, modifiedMs, name, sizeBytes, augmented } of files) {
    yield `      - checksum: ${sha256}`;
    yield `        modified: ${new Date(modifiedMs).toISOString().replace("T", " ").replace(/\..*/, "")} +0000 UTC`;
    yield `        name: ${name}`;
    yield `        size: ${sizeBytes}`;
    if (augmented) yield "        augmented: true";
  }
}

/** For people, and for scripts that know `mender-artifact`. */
export function* inspectionLines({ header, payloads }: Inspection): Generator<string> {
  yield "Mender Artifact:";
  yield `  Name: ${header.artifactName}`;
  yield "  Format: mender";
  yield `  Version: ${header.version}`;
  yield `  Signature: ${SIGNATURES[header.signature.state]}`;
  if (header.augment !== undefined) yield "  Augmented: true";
  yield `  Compatible types: ${list(header.deviceTypes)}`;
  yield `  Provides group: ${header.artifactGroup ?? ""}`;
  yield `  Depends on one of artifact(s): ${list(header.dependsArtifactNames)}`;
  yield `  Depends on one of group(s): ${list(header.dependsArtifactGroups)}`;
  yield header.scripts.length === 0 ? "  State scripts: []" : "  State scripts:";
  for (const { name } of header.scripts) yield `    - ${name}`;
  yield "";
  yield "Updates:";
  for (const payload of payloads) yield* payloadLines(payload);
}
