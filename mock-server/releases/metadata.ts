import type { ArtifactHeader, PayloadHeader } from "@upkeep/shared/artifact";
import type { ArtifactRecord, PayloadFileRecord, PayloadRecord } from "../storage/index.ts";

/** What an artifact's own headers say for its record. */
export type Described = Pick<
  ArtifactRecord,
  "name" | "formatVersion" | "signed" | "deviceTypes" | "depends" | "provides" | "clearsProvides"
>;

/** The record's fields that stand in the artifact's header. */
export function describeArtifact(header: ArtifactHeader): Described {
  const types = header.payloads.map(({ typeInfo }) => typeInfo);
  return {
    name: header.artifactName,
    formatVersion: header.version,
    signed: header.signature.state !== "unsigned",
    deviceTypes: header.deviceTypes,
    depends: {
      ...(header.dependsArtifactNames === undefined ? {} : { artifact_name: header.dependsArtifactNames }),
      ...(header.dependsArtifactGroups === undefined ? {} : { artifact_group: header.dependsArtifactGroups }),
      ...Object.assign({}, ...types.map(({ depends }) => depends)),
    },
    provides: {
      artifact_name: header.artifactName,
      ...(header.artifactGroup === undefined ? {} : { artifact_group: header.artifactGroup }),
      ...Object.assign({}, ...types.map(({ provides }) => provides)),
    },
    clearsProvides: [...new Set(types.flatMap(({ clearsProvides }) => clearsProvides ?? []))],
  };
}

/** The record of one payload, once its files are known. */
export function describePayload(header: PayloadHeader, files: readonly PayloadFileRecord[]): PayloadRecord {
  const { type } = header.typeInfo;
  if (header.metaDataJson === undefined) return { type, files };
  return { type, files, metaData: JSON.parse(header.metaDataJson) as Record<string, unknown> };
}
