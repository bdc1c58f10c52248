/**
 * The agent's face for others, such as simulations: the update engine and the protocol client, each given a
 * door. The program itself is `cli/`.
 */

export { deviceProvides, installedProvides, UNKNOWN_ARTIFACT } from "./device/provides.ts";
export { DeviceStore } from "./device/store.ts";
export { AgentError } from "./errors.ts";
export * from "./update/index.ts";
