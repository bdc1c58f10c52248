import { type ArtifactHeader, type PayloadHeader, termsOf } from "@upkeep/shared/artifact";
import type { ArtifactRecord, PayloadFileRecord, PayloadRecord } from "../storage/index.ts";

/** The fields of an artifact's record that come from its header. */
export type Described = Pick<
  ArtifactRecord,
  "name" | "formatVersion" | "signed" | "deviceTypes" | "depends" | "provides" | "clearsProvides"
>;

export function describeArtifact(header: ArtifactHeader): Described {
  const { depends: needed, provides } = termsOf(header);
  // The record has a separate field for the device types.
  const { device_type: _, ...depends } = needed;
  const types = header.payloads.map(({ typeInfo }) => typeInfo);
  return {
    name: header.artifactName,
    formatVersion: header.version,
    signed: header.signature.state !== "unsigned",
    deviceTypes: header.deviceTypes,
    depends,
    provides,
    clearsProvides: [...new Set(types.flatMap(({ clearsProvides }) => clearsProvides ?? []))],
  };
}

/** The record of a payload whose files were read. */
export function describePayload(header: PayloadHeader, files: readonly PayloadFileRecord[]): PayloadRecord {
  const { type } = header.typeInfo;
  if (header.metaDataJson === undefined) return { type, files };
  return { type, files, metaData: JSON.parse(header.metaDataJson) as Record<string, unknown> };
}
