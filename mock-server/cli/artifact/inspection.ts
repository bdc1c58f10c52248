import { type ArtifactHeader, openArtifact, type PayloadHeader, type ReadOptions } from "@upkeep/shared/artifact";

export interface InspectedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
}

export interface InspectedPayload {
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
  const reading = await openArtifact(content, options);
  const payloads: InspectedPayload[] = [];
  for await (const payload of reading.payloads()) {
    const files: InspectedFile[] = [];
    for await (const { name, sizeBytes, sha256, modifiedMs } of payload.files()) {
      files.push({ name, sizeBytes, sha256, modifiedMs });
    }
    payloads.push({ header: payload.header, files });
  }
  return { header: reading.header, payloads };
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
      })),
    })),
  };
}

const SIGNATURES = {
  unsigned: "no signature",
  unchecked: "signed; give --key to verify it",
  verified: "signed and verified correctly",
} as const;

function listed(values: readonly string[] | undefined): string {
  return values === undefined || values.length === 0 ? "any" : values.join(", ");
}

function* mapLines(
  title: string,
  map: Readonly<Record<string, string | readonly string[]>> | undefined,
): Generator<string> {
  const entries = Object.entries(map ?? {});
  if (entries.length === 0) {
    yield `    ${title}: nothing`;
    return;
  }
  yield `    ${title}:`;
  for (const [key, value] of entries) yield `      ${key}: ${typeof value === "string" ? value : value.join(" or ")}`;
}

function* payloadLines({ header, files }: InspectedPayload): Generator<string> {
  const { type, provides, depends, clearsProvides } = header.typeInfo;
  yield `  Payload ${header.index}:`;
  yield `    Type: ${type ?? "none, an empty payload"}`;
  yield* mapLines("Provides", provides);
  yield* mapLines("Depends", depends);
  yield `    Clears provides: ${clearsProvides === undefined ? "nothing" : clearsProvides.join(", ") || "nothing"}`;
  const metaData = parsedMetaData(header);
  if (metaData === undefined) yield "    Meta-data: none";
  else for (const line of `Meta-data: ${JSON.stringify(metaData, null, 2)}`.split("\n")) yield `    ${line}`;
  if (files.length === 0) yield "    Files: none";
  for (const file of files) {
    yield `    File ${file.name}:`;
    yield `      Size: ${file.sizeBytes}`;
    yield `      Modified: ${new Date(file.modifiedMs).toISOString()}`;
    yield `      Checksum: ${file.sha256}`;
  }
}

/** For people. */
export function* inspectionLines({ header, payloads }: Inspection): Generator<string> {
  yield "Mender Artifact:";
  yield `  Name: ${header.artifactName}`;
  yield `  Format: mender, version ${header.version}, compression ${header.compression}`;
  yield `  Signature: ${SIGNATURES[header.signature.state]}`;
  yield `  Compatible device types: ${header.deviceTypes.join(", ")}`;
  yield `  Provides group: ${header.artifactGroup ?? "none"}`;
  yield `  Depends on artifact: ${listed(header.dependsArtifactNames)}`;
  yield `  Depends on group: ${listed(header.dependsArtifactGroups)}`;
  yield `  State scripts: ${header.scripts.length === 0 ? "none" : header.scripts.map((script) => script.name).join(", ")}`;
  for (const payload of payloads) yield* payloadLines(payload);
}
