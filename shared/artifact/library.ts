/**
 * What the package `upkeep-artifact` offers: Mender artifacts of version 3 are read, written, signed and verified, as
 * streams.
 */

export { ArtifactError, type ArtifactFault } from "./errors.ts";
export { ARTIFACT_LIMITS } from "./limits.ts";
export { openArtifact } from "./reading.ts";
export type {
  ArtifactContent,
  ArtifactHeader,
  ArtifactReading,
  AugmentedHeader,
  AugmentedPayloadHeader,
  Compression,
  Decompressor,
  Payload,
  PayloadFile,
  PayloadHeader,
  ReadOptions,
  SignatureState,
  StateScript,
  TypeInfo,
} from "./types.ts";
export {
  AlreadySignedError,
  type ArtifactPlan,
  type ArtifactSigner,
  type ArtifactSink,
  type AugmentPlan,
  type BootstrapPlan,
  type CommonPlan,
  type Compressor,
  type Compressors,
  type Depends,
  type KeyOptions,
  loadSigningKey,
  type ModuleImagePlan,
  PlanError,
  type RootfsImagePlan,
  type SigningKey,
  type SignOptions,
  type SoftwarePlan,
  type SourceFile,
  signArtifact,
  type WriteOptions,
  writeArtifact,
} from "./write/index.ts";
export { type OpenFile, sinkOf } from "./write/open-file.ts";
