/** Limits of agent and server. */
export const PROTOCOL_LIMITS = {
  /** A request's body, except artifacts. */
  bodyBytesMax: 1024 * 1024,
  /** A deployment log as the agent sends it: below the server's limit with room for the frame. */
  logBytesMax: 999_744,
  inventoryAttributesMax: 100,
  /** Characters and bytes of an attribute's name; a key in PostgreSQL has at most 2704 bytes. */
  inventoryNameMax: 1024,
  inventoryNameBytesMax: 2048,
  pageSizeMax: 500,
  deploymentNameMax: 256,
  /** Characters of an artifact's name, a group, a device type, the value of a provide or of a depend. */
  textMax: 4096,
} as const;

/**
 * Limits of an artifact's provides, depends and clears. The writer, every reader (agent, upload, validate) and the
 * agent's merged provides keep them, so that a device's provides always fit in a poll.
 */
export const PROVIDES_LIMITS = {
  keyMax: 1024,
  entriesMax: 1000,
  /** All provides as JSON: well below {@link PROTOCOL_LIMITS.bodyBytesMax}, as a poll carries more than provides. */
  bytesMax: 256 * 1024,
  /** Patterns of provides that an artifact clears. */
  clearsMax: 1000,
  deviceTypesMax: 200,
  /** Combinations that meet all depends: one value for each key. */
  combinationsMax: 10_000,
} as const;
