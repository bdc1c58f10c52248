/** The Mender Artifact format, version 3: writing and signing. */

export { type Compressor, type Compressors, through } from "./compress.ts";
export {
  type ArtifactPlan,
  type BootstrapPlan,
  type CommonPlan,
  type ModuleImagePlan,
  PlanError,
  type RootfsImagePlan,
  type SoftwarePlan,
  type SourceFile,
} from "./plan.ts";
export { AlreadySignedError, type SignOptions, signArtifact } from "./sign.ts";
export { loadSigningKey } from "./signing.ts";
export { type ArtifactSink, type WriteOptions, writeArtifact } from "./write.ts";
