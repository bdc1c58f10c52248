/** Bounds that both ends keep. */
export const PROTOCOL_LIMITS = {
  /** A request's body, except artifacts. */
  bodyBytesMax: 1024 * 1024,
  /** A deployment log as the agent sends it: below the server's limit with room for the frame. */
  logBytesMax: 999_744,
  inventoryAttributesMax: 100,
  pageSizeMax: 500,
  deploymentNameMax: 256,
  artifactNameMax: 4096,
} as const;
