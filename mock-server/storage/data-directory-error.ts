/** A data directory that a server cannot use, or not with its records. The message is for the operator. */
export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError";
}
