/** Bounds that both ends keep. */
export const PROTOCOL_LIMITS = {
  /** A request's body, except artifacts. */
  bodyBytesMax: 1024 * 1024,
  /** A deployment log as the agent sends it: below the server's limit with room for the frame. */
  logBytesMax: 999_744,
  inventoryAttributesMax: 100,
  /** Characters and bytes of an attribute's name; PostgreSQL takes no key above 2704 bytes. */
  inventoryNameMax: 1024,
  inventoryNameBytesMax: 2048,
  pageSizeMax: 500,
  deploymentNameMax: 256,
  /** Characters of an artifact's name, a group, a device type, the value of a provide or of a depend. */
  textMax: 4096,
} as const;

/**
 * What an artifact may provide, depend on and clear. The writer, every reader (agent, upload, validate) and the
 * agent's sum over all installed artifacts keep these bounds, so that what a device provides always fits in a poll.
 */
export const PROVIDES_LIMITS = {
  keyMax: 1024,
  entriesMax: 1000,
  /** All provides as JSON: well below {@link PROTOCOL_LIMITS.bodyBytesMax}, of which a poll has other uses too. */
  bytesMax: 256 * 1024,
  /** Patterns of provides that an artifact clears. */
  clearsMax: 1000,
  deviceTypesMax: 200,
  /** Ways to meet all that an artifact depends on: one value for each key. */
  combinationsMax: 10_000,
} as const;
