/**
 * The Mender Artifact format, version 3: reading. Writing is a separate entry point, `write/`, so that the agent's
 * bundle does not contain it.
 */

export { gunzipReusingBuffers } from "./compression/gzip.ts";
export { UNINTERRUPTED_DECOMPRESSORS } from "./compression/uninterrupted.ts";
export { ArtifactError, type ArtifactFault } from "./errors.ts";
export { ARTIFACT_LIMITS } from "./limits.ts";
export { manifestName } from "./manifest.ts";
export { openArtifact } from "./reading.ts";
export { keyFault, menderFault } from "./signature.ts";
export { termsOf } from "./terms.ts";
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
