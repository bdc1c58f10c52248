/** The Mender Artifact format, version 3: writing and signing. */

export { type Compressor, type Compressors, through } from "./compress.ts";
export {
  type ArtifactPlan,
  type AugmentPlan,
  type BootstrapPlan,
  type CommonPlan,
  type Depends,
  type ModuleImagePlan,
  PlanError,
  type RootfsImagePlan,
  type SoftwarePlan,
  type SourceFile,
} from "./plan.ts";
export { AlreadySignedError, type SignOptions, signArtifact } from "./sign.ts";
export {
  type ArtifactSigner,
  isEncryptedKey,
  type KeyOptions,
  loadSigningKey,
  type SigningKey,
} from "./signing.ts";
export { type ArtifactSink, type WriteOptions, writeArtifact } from "./write.ts";
