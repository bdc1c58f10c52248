import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { ArtifactIndex, ArtifactRecord, Domain, NoIndex, PayloadRecord } from "../../domain.ts";
import { timestamp } from "./times.ts";

const PayloadShape = z.object({
  type_info: z.object({ type: z.string().nullable() }),
  files: z.array(z.object({ name: z.string(), checksum: z.string(), size: z.int(), date: z.string() })).nullable(),
  metadata: z.optional(recordOf(z.unknown())),
  /** The same as a list, for clients of older versions. */
  meta_data: z.array(z.object({ Key: z.string(), Value: z.unknown() })).optional(),
});

/** The work of indexing artifacts for adaptive downloads, as the API shows it. */
export interface IndexingView {
  /** The artifact that is being indexed, and how much of it is done, from 0 to 1. */
  readonly progress: { readonly artifactId: string; readonly done: number } | undefined;
}

const AdaptiveShape = z.object({
  state: z.enum(["ready", "indexing", "waiting", "none"]).meta({
    description: "ready: devices are offered adaptive downloads; none: they are not, for the reason",
  }),
  percent: z.int().optional().meta({ description: "Of indexing" }),
  index_size: z.int().optional().meta({ description: "Bytes in the store" }),
  chunks_size: z.int().optional().meta({ description: "Bytes in the store" }),
  reason: z.string().optional(),
});

/** An artifact as the management API shows it, also inside device deployments. */
export const ArtifactShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  device_types_compatible: z.array(z.string()),
  info: z.object({ format: z.literal("mender"), version: z.int() }),
  signed: z.boolean(),
  updates: z.array(PayloadShape),
  artifact_provides: recordOf(z.string()),
  artifact_depends: recordOf(z.union([z.string(), z.array(z.string())])),
  clears_artifact_provides: z.array(z.string()).optional(),
  size: z.int(),
  modified: z.string(),
});

/** Beyond the reference: whether an artifact can be downloaded adaptively. Absent if that is switched off. */
export const IndexedArtifactShape = ArtifactShape.extend({ adaptive: AdaptiveShape.optional() });

function presentPayload({ type, files, metaData }: PayloadRecord): z.infer<typeof PayloadShape> {
  return {
    type_info: { type },
    files:
      files.length === 0
        ? null
        : files.map(({ name, sha256, sizeBytes, modifiedMs }) => ({
            name,
            checksum: sha256,
            size: sizeBytes,
            date: timestamp(modifiedMs),
          })),
    ...(metaData === undefined
      ? {}
      : { metadata: metaData, meta_data: Object.entries(metaData).map(([Key, Value]) => ({ Key, Value })) }),
  };
}

export function presentArtifact(artifact: ArtifactRecord): z.infer<typeof ArtifactShape> {
  const depends = Object.entries(artifact.depends).map(([key, value]) => [
    key,
    typeof value === "string" ? value : [...value],
  ]);
  return {
    id: artifact.id,
    name: artifact.name,
    description: artifact.description,
    device_types_compatible: [...artifact.deviceTypes],
    info: { format: "mender", version: artifact.formatVersion },
    signed: artifact.signed,
    updates: artifact.payloads.map(presentPayload),
    artifact_provides: { ...artifact.provides },
    artifact_depends: { ...Object.fromEntries(depends), device_type: [...artifact.deviceTypes] },
    ...(artifact.clearsProvides.length === 0 ? {} : { clears_artifact_provides: [...artifact.clearsProvides] }),
    size: artifact.sizeBytes,
    modified: timestamp(artifact.modifiedMs),
  };
}

/** Artifacts with the state of their indexes. */
export async function presentIndexed(
  artifacts: readonly ArtifactRecord[],
  domain: Pick<Domain, "artifacts">,
  indexing: IndexingView | undefined,
): Promise<z.infer<typeof IndexedArtifactShape>[]> {
  if (indexing === undefined) return artifacts.map(presentArtifact);
  const indexes = await domain.artifacts.indexesOf(artifacts.map(({ id }) => id));
  return artifacts.map((artifact) => ({
    ...presentArtifact(artifact),
    adaptive: presentIndex(artifact.id, indexes.get(artifact.id), indexing),
  }));
}

function presentIndex(
  id: string,
  index: ArtifactIndex | NoIndex | undefined,
  { progress }: IndexingView,
): z.infer<typeof AdaptiveShape> {
  if (index === undefined) {
    return progress?.artifactId === id
      ? { state: "indexing", percent: Math.floor(progress.done * 100) }
      : { state: "waiting" };
  }
  if ("fault" in index) return { state: "none", reason: index.fault };
  return { state: "ready", index_size: index.index.sizeBytes, chunks_size: index.chunks.sizeBytes };
}
