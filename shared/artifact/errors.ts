import { printable } from "../text/index.ts";

/** Faults of an artifact. These names are stable: programs branch on them. */
export type ArtifactFault =
  // The file as a whole, and its order.
  | "not-an-artifact"
  | "version-unsupported"
  | "augmented-unsupported"
  | "truncated"
  | "trailing-bytes"
  | "entry-order"
  | "entry-unexpected"
  | "duplicate-entry"
  | "too-large"
  // Tar.
  | "tar-malformed"
  | "tar-checksum"
  | "size-absurd"
  | "name-climbs"
  | "name-unsafe"
  | "name-too-long"
  | "entry-is-link"
  | "entry-is-device"
  | "entry-is-directory"
  | "entry-is-sparse"
  | "entry-type-unknown"
  // Compression.
  | "compression-damaged"
  | "compression-unsupported"
  | "compression-window-too-large"
  // Manifest and signature.
  | "manifest-malformed"
  | "manifest-duplicate"
  | "unlisted"
  | "missing"
  | "checksum-mismatch"
  | "signature-missing"
  | "signature-malformed"
  | "signature-mismatch"
  | "key-unusable"
  // What the header says.
  | "header-info-invalid"
  | "type-info-invalid"
  | "meta-data-invalid"
  | "payload-type-mismatch"
  | "empty-payload-with-files"
  // The index of chunks for adaptive downloads, and the chunks.
  | "index-malformed"
  | "chunk-mismatch";

/** An artifact breaks a rule of its format. The message names the entry or field, and the value found. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError";
  readonly code: ArtifactFault;

  constructor(code: ArtifactFault, message: string, options?: ErrorOptions) {
    // The message quotes parts of the artifact.
    super(printable(message), options);
    this.code = code;
  }
}
