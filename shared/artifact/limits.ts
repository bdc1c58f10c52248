/** Bounds on what an artifact may contain. Everything that is held in memory has one. */
export const ARTIFACT_LIMITS = {
  versionBytesMax: 4 * 1024,
  manifestBytesMax: 4 * 1024 * 1024,
  /** RSA of 16384 bits takes 2732 characters of base64. */
  signatureBytesMax: 8 * 1024,
  /** header.tar.* as stored in the artifact. It stays in memory until its checksum is verified. */
  headerBytesMax: 16 * 1024 * 1024,
  /** All of header.tar once decompressed. */
  headerExpandedBytesMax: 32 * 1024 * 1024,
  headerInfoBytesMax: 1024 * 1024,
  typeInfoBytesMax: 1024 * 1024,
  metaDataBytesMax: 4 * 1024 * 1024,
  /** Each of the JSON files: programs may recurse into a value, and each value costs memory. */
  jsonDepthMax: 64,
  jsonValuesMax: 20_000,
  metaDataValuesMax: 100_000,
  scriptBytesMax: 8 * 1024 * 1024,
  scriptsMax: 1024,
  /** data/NNNN: four digits. */
  payloadsMax: 10_000,
  /** One component of a path, the limit of Linux. */
  fileNameBytesMax: 255,
  entryNameBytesMax: 1024,
  /** A long name or a set of extended attributes, as tar stores them before an entry. */
  tarExtensionBytesMax: 64 * 1024,
  /** Zeros after the end mark, which tar writes to fill a record. */
  tarPaddingBytesMax: 1024 * 1024,
  /** Window of zstd: 128 MiB, the default limit of the zstd tool. (xz: 64 MiB.) */
  windowBytesMax: 128 * 1024 * 1024,
  skippableFrameBytesMax: 1024 * 1024,
} as const;
