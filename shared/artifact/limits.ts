/** Bounds on what an artifact may contain. Everything that is held in memory has one. */
export const ARTIFACT_LIMITS = {
  versionBytesMax: 4 * 1024,
  manifestBytesMax: 4 * 1024 * 1024,
  /** RSA of 16384 bits takes 2732 characters of base64. */
  signatureBytesMax: 8 * 1024,
  /** header.tar.* as it stands in the artifact. It is held until its checksum is known to be right. */
  headerBytesMax: 16 * 1024 * 1024,
  /** All of header.tar once decompressed. */
  headerExpandedBytesMax: 32 * 1024 * 1024,
  headerInfoBytesMax: 1024 * 1024,
  typeInfoBytesMax: 1024 * 1024,
  metaDataBytesMax: 4 * 1024 * 1024,
  /** Of each of these: what works on a value may do so by recursion, and each value costs memory. */
  jsonDepthMax: 64,
  jsonValuesMax: 20_000,
  metaDataValuesMax: 100_000,
  scriptBytesMax: 8 * 1024 * 1024,
  scriptsMax: 1024,
  /** data/NNNN: four digits. */
  payloadsMax: 10_000,
  /** One component of a path, as Linux has it. */
  fileNameBytesMax: 255,
  entryNameBytesMax: 1024,
  /** A long name or a set of extended attributes, as tar stores them before an entry. */
  tarExtensionBytesMax: 64 * 1024,
  /** Zeros that tar writes after its end mark to fill a record. */
  tarPaddingBytesMax: 1024 * 1024,
  /** How far back zstd data may refer: 128 MiB, as the zstd tool accepts without being asked. (xz: 64 MiB.) */
  windowBytesMax: 128 * 1024 * 1024,
  skippableFrameBytesMax: 1024 * 1024,
} as const;
